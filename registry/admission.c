#include "registry/admission.h"

#include "common/rules/ev_err.h"

static const struct {
    int status;
    const char *text;
} VERDICTS[ADMISSION_COUNT] = {
    [ADMISSION_NEW] = {201, "registered"},
    [ADMISSION_AGAIN] = {201, "registered already"},
    [ADMISSION_UNKNOWN_INVITATION] = {403,
                                      "this invitation is unknown here: make one with `ev_registry invite`"},
    [ADMISSION_WRONG_ROLE] =
        {403, "this invitation is for another role: make one with `ev_registry invite --role ROLE`"},
    [ADMISSION_EXPIRED_INVITATION] = {403,
                                      "this invitation has expired: make another with `ev_registry invite`"},
    [ADMISSION_USED_UP] = {403, "this invitation is used up: make another with `ev_registry invite`"},
    [ADMISSION_OLD_INVITATION] =
        {403, "this id was revoked after the invitation was made: it needs a new invitation"},
    [ADMISSION_KEY_REVOKED] = {403, "this key was revoked: the node needs a new key and a new invitation"},
    [ADMISSION_ID_HELD] = {409, "this id is held by another key: deregister or revoke that node first"},
    [ADMISSION_KEY_HELD] = {409, "this key is registered under another id: each node makes a key of its own"},
};

/* An invitation that is no good is said first and alone: strangers learn nothing about ids and keys. */
static enum admission_verdict check_invitation(const struct admission_facts *facts)
{
    if (!facts->invitation_known)
        return ADMISSION_UNKNOWN_INVITATION;
    if (!facts->invitation_role_fits)
        return ADMISSION_WRONG_ROLE;
    if (facts->invitation_expired)
        return ADMISSION_EXPIRED_INVITATION;
    return facts->invitation_uses_left > 0 ? ADMISSION_NEW : ADMISSION_USED_UP;
}

enum admission_verdict admission_decide(const struct admission_facts *facts)
{
    enum admission_verdict invitation = check_invitation(facts);
    bool same = facts->node == ADMISSION_NODE_REGISTERED && facts->node_key_same;
    bool spent_here = facts->invitation_known && facts->invitation_spent_here;

    if (invitation != ADMISSION_NEW && !spent_here)
        return invitation;
    if (facts->key_barred)
        return ADMISSION_KEY_REVOKED;
    if (same)
        return ADMISSION_AGAIN;
    if (invitation != ADMISSION_NEW)
        return invitation;
    if (facts->node == ADMISSION_NODE_REGISTERED)
        return ADMISSION_ID_HELD;
    if (facts->key_held_there)
        return ADMISSION_KEY_HELD;
    if (facts->node_revoked_seq > facts->invitation_after_seq)
        return ADMISSION_OLD_INVITATION;
    return ADMISSION_NEW;
}

int admission_status(enum admission_verdict verdict)
{
    EV_ASSERT(verdict < ADMISSION_COUNT);
    return VERDICTS[verdict].status;
}

const char *admission_text(enum admission_verdict verdict)
{
    EV_ASSERT(verdict < ADMISSION_COUNT);
    return VERDICTS[verdict].text;
}

bool admission_is_bad_invitation(enum admission_verdict verdict)
{
    return verdict >= ADMISSION_UNKNOWN_INVITATION && verdict <= ADMISSION_USED_UP;
}
