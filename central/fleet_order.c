#include "central/fleet_internal.h"

#include <stdio.h>
#include <string.h>

static void order_stop(struct fleet *fleet, struct fleet_cp *cp)
{
    fleet->out->answer.done = (cp->facts.holds & HOLD_ADMIN) == 0;
    fleet_cp_set_hold(fleet, cp, HOLD_ADMIN);
    fleet_audit(fleet, "cp.stop", cp->id.text, "ok", "%s",
                fleet->out->answer.done ? "hold admin set" : "was stopped already");
    fleet_cp_notice(fleet, cp, "Stopped by an administrator.");
}

/* Names what else holds, so that nobody has to guess why it is still out of order. */
static void refuse_resume(struct fleet *fleet, const struct fleet_cp *cp)
{
    char detail[160] = "It is not stopped by an admin";
    const char *separator = "; it is held by ";

    for (unsigned i = 0; i < HOLD_COUNT; i++) {
        if (cp->facts.holds & (1U << i)) {
            size_t length = strlen(detail);

            (void)snprintf(detail + length, sizeof detail - length, "%s%s", separator,
                           cp_hold_text((enum cp_hold)(1U << i)));
            separator = ", ";
        }
    }
    strncat(detail, ".", sizeof detail - strlen(detail) - 1);
    fleet_answer(fleet, FLEET_ANSWER_CONFLICT, detail);
    fleet_audit(fleet, "cp.resume", cp->id.text, "refused", "%s", detail);
}

static void order_resume(struct fleet *fleet, struct fleet_cp *cp)
{
    if ((cp->facts.holds & HOLD_ADMIN) == 0) {
        refuse_resume(fleet, cp);
        return;
    }
    fleet_cp_lift_hold(fleet, cp, HOLD_ADMIN);
    fleet->out->answer.done = true;
    fleet_audit(fleet, "cp.resume", cp->id.text, "ok", "hold admin lifted");
    fleet_cp_notice(fleet, cp, "Resumed by an administrator.");
}

static void order_rotate(struct fleet *fleet, struct fleet_cp *cp)
{
    if (cp->connection == 0 || !cp->facts.connected || !cp->facts.engine_ok || cp->leaving != FLEET_STAYS) {
        fleet_answer(
            fleet, FLEET_ANSWER_CONFLICT,
            "Its engine cannot be reached, so it cannot take a new key; it gets one when it connects.");
        return;
    }
    fleet_cp_issue_key(fleet, cp);
    fleet->out->answer.done = true;
    fleet_audit(fleet, "key.rotate", cp->id.text, "ok", "epoch %u", (unsigned)cp->key_epoch);
}

static void order_drop(struct fleet *fleet, struct fleet_cp *cp)
{
    if (cp->revoked) {
        fleet_answer(fleet, FLEET_ANSWER_CONFLICT, "It is revoked: it has no key.");
        return;
    }
    fleet->out->answer.done = (cp->facts.holds & HOLD_KEY) == 0;
    fleet_audit(fleet, "key.drop", cp->id.text, "ok", "%s",
                fleet->out->answer.done ? "hold key set" : "was dropped already");
    if (fleet->out->answer.done) {
        fleet_cp_leave(fleet, cp, FLEET_LEAVES_KEY);
    }
}

static void order_revoke(struct fleet *fleet, struct fleet_cp *cp)
{
    if (cp->revoked) {
        fleet_answer(fleet, FLEET_ANSWER_CONFLICT, "It is revoked already.");
        return;
    }
    fleet->out->answer.done = true;
    fleet_cp_revoke(fleet, cp, true);
}

static void order_price(struct fleet *fleet, struct fleet_cp *cp)
{
    uint32_t price = fleet->event->of.price_cents_per_kwh;

    if (price > PRICE_CENTS_PER_KWH_MAX) {
        fleet_answer(fleet, FLEET_ANSWER_INVALID, "The price is out of bounds.");
        return;
    }
    fleet->out->answer.done = price != cp->price_cents_per_kwh;
    fleet_audit(fleet, "cp.price", cp->id.text, "ok", "%u -> %u cents per kWh",
                (unsigned)cp->price_cents_per_kwh, (unsigned)price);
    if (fleet->out->answer.done) {
        cp->price_cents_per_kwh = price;
        fleet_cp_save(fleet, cp);
        fleet->touched_publish = true;
        fleet_cp_notice(fleet, cp, "The price has changed; it counts from the next session on.");
    }
}

void fleet_on_order(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_any(fleet, &fleet->event->cp_id);

    if (cp == NULL || !cp->registered) {
        fleet_answer(fleet, FLEET_ANSWER_NOT_FOUND, "There is no such charge point.");
        return;
    }
    fleet_touch(fleet, cp);
    switch (fleet->event->type) {
    case FLEET_ORDER_STOP:
        order_stop(fleet, cp);
        break;
    case FLEET_ORDER_RESUME:
        order_resume(fleet, cp);
        break;
    case FLEET_ORDER_ROTATE_KEY:
        order_rotate(fleet, cp);
        break;
    case FLEET_ORDER_DROP_KEY:
        order_drop(fleet, cp);
        break;
    case FLEET_ORDER_REVOKE:
        order_revoke(fleet, cp);
        break;
    default:
        order_price(fleet, cp);
        break;
    }
    fleet->out->answer.holds = cp->facts.holds;
}
