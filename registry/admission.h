/* admission.h - may this key be registered under this role and id with this invitation?
 * Pure: facts in, verdict out. Used by registry/api_register.c inside one transaction. */
#ifndef EV_REGISTRY_ADMISSION_H
#define EV_REGISTRY_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum admission_node {
    ADMISSION_NODE_NONE,
    ADMISSION_NODE_REGISTERED,
    ADMISSION_NODE_GONE,
    ADMISSION_NODE_REVOKED
};

struct admission_facts {
    /* the invitation */
    bool invitation_known;
    bool invitation_role_fits;
    bool invitation_expired;
    int64_t invitation_uses_left;
    bool invitation_spent_here;   /* on exactly this role, id and key */
    int64_t invitation_after_seq; /* the last change when it was made */
    /* the id; GONE: deregistered */
    enum admission_node node;
    bool node_key_same;
    int64_t node_revoked_seq; /* its last revocation, 0 none */
    /* the key */
    bool key_barred;     /* revoked once, under whatever name */
    bool key_held_there; /* registered under another role or id */
};

enum admission_verdict {
    ADMISSION_NEW,   /* register, and spend one use */
    ADMISSION_AGAIN, /* the same node once more, a lost answer: another certificate, nothing is spent */
    ADMISSION_UNKNOWN_INVITATION,
    ADMISSION_WRONG_ROLE,
    ADMISSION_EXPIRED_INVITATION,
    ADMISSION_USED_UP,
    ADMISSION_OLD_INVITATION, /* made before the id was revoked */
    ADMISSION_KEY_REVOKED,
    ADMISSION_ID_HELD,
    ADMISSION_KEY_HELD,
    ADMISSION_COUNT /* not a verdict: how many there are */
};

enum admission_verdict admission_decide(const struct admission_facts *facts);

/* The HTTP status of a verdict, and a sentence that says what to do. */
int admission_status(enum admission_verdict verdict);
const char *admission_text(enum admission_verdict verdict);

/* The invitation itself does not hold: what guessing would look like. */
bool admission_is_bad_invitation(enum admission_verdict verdict);

#endif
