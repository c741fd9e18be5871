#include "registry/invite.h"

#include "common/runtime/loop.h"
#include "registry/authority.h"
#include "registry/store.h"

#include <sodium.h>
#include <string.h>

static enum ev_err store_code(const struct state_dir *dir, const struct invitation *code, enum node_role role,
                              int64_t uses, int64_t valid_ms, struct failure *ret_failure)
{
    struct store *store = NULL;
    struct store_invitation invitation = {
        .role = role, .uses_left = uses, .expires_at_ms = wall_now_ms() + valid_ms};
    (void)crypto_hash_sha256(invitation.secret_hash, code->secret, sizeof code->secret);
    enum ev_err err = store_open(dir, &store);
    if (err == EV_OK)
        err = store_add_invitation(store, &invitation);
    store_close(store);
    if (err != EV_OK)
        (void)failure_set(ret_failure, err, "cannot note the invitation in %s/registry.db",
                          state_dir_path(dir));
    return err;
}

enum ev_err invite_make(const char *state_dir, enum node_role role, int64_t uses, int64_t valid_ms,
                        char ret_code[INVITATION_TEXT_SIZE], struct failure *ret_failure)
{
    struct state_dir *dir = NULL;
    struct authority *authority = NULL;
    struct invitation code;
    randombytes_buf(code.secret, sizeof code.secret);
    enum ev_err err = state_dir_open(state_dir, STATE_DIR_BESIDE, &dir, ret_failure);
    if (err == EV_OK)
        err = authority_open(dir, &authority, ret_failure);
    if (err == EV_OK) {
        authority_pin(authority, code.pin);
        err = store_code(dir, &code, role, uses, valid_ms, ret_failure);
    }
    if (err == EV_OK)
        invitation_format(&code, ret_code);
    authority_free(authority);
    state_dir_free(dir);
    return err;
}
