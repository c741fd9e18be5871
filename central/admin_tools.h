/* admin_tools.h - `ev_central admin-password` and `ev_central audit-verify`, which work beside a running
 * Central. Both return the exit code and say in words what happened. */
#ifndef EV_CENTRAL_ADMIN_TOOLS_H
#define EV_CENTRAL_ADMIN_TOOLS_H

/* Reads a new password from standard input (without echo on a terminal; an empty line makes a random one). */
int central_admin_password(const char *state_dir);

/* Checks the hash chain, the signed heads and the mirror file. */
int central_audit_verify(const char *state_dir);

#endif
