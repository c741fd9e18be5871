#include "common/runtime/tls_internal.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.3 only, with forward secrecy. External keys are bound with SHA-256, so the suites with SHA-384 are
 * out. */
#define PRIORITY_CERTIFICATE "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define PRIORITY_PSK                                                                                         \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM"

struct tls_session {
    struct tls_material *material; /* first: on_psk_wanted reads it */
    gnutls_session_t session;
    enum tls_side side;
    enum node_role expected_role;
    struct peer_identity peer;
    size_t unsent; /* bytes of a record that GnuTLS holds until the socket takes it */
    char *host;    /* dialled; NULL on servers */
    char *root_pem;
    struct failure *refusal; /* why our own check refused the peer; NULL: it did not */
    gnutls_alert_description_t alert;
};

/* --- the peer's certificate --- */

static enum ev_err check_pinned(struct tls_session *tls, const gnutls_datum_t *der, unsigned count)
{
    gnutls_x509_crt_t chain[TLS_CHAIN_MAX] = {NULL};
    gnutls_datum_t pem = {0};
    struct tls_trust *trust = NULL;
    uint8_t hash[32] = {0};
    enum ev_err err = EV_OK;
    tls->alert = GNUTLS_A_UNKNOWN_CA;
    if (der == NULL || count < 1 || count > TLS_CHAIN_MAX || tls_chain_import(der, count, chain) != EV_OK) {
        return failure_set(tls->refusal, EV_ERR_AUTH, "the peer sent no usable certificate");
    }
    const gnutls_datum_t *root = &der[count - 1];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, root->data, root->size, hash) < 0 ||
        memcmp(hash, tls->material->pin, TLS_PIN_SIZE) != 0 ||
        gnutls_x509_crt_check_issuer(chain[count - 1], chain[count - 1]) == 0) {
        err = failure_set(tls->refusal, EV_ERR_AUTH,
                          "the peer's authority is not the one that the invitation names");
        goto out;
    }
    if (gnutls_x509_crt_export2(chain[count - 1], GNUTLS_X509_FMT_PEM, &pem) < 0) {
        err = failure_set(tls->refusal, EV_ERR_NOMEM, "out of memory");
        goto out;
    }
    err = tls_trust_new((const char *)pem.data, &trust, tls->refusal);
    if (err == EV_OK) {
        err = tls_check_chain(trust, der, count, TLS_PURPOSE_SERVER, tls->host, 0, &tls->peer, &tls->alert,
                              tls->refusal);
    }
    if (err == EV_OK) {
        tls->root_pem = strdup((const char *)pem.data);
        err = tls->root_pem != NULL ? EV_OK : EV_ERR_NOMEM;
    }
out:
    tls_trust_free(trust);
    gnutls_free(pem.data);
    tls_chain_free(chain, count);
    return err;
}

/* During the handshake, before anything of the application is sent. 0: accepted. */
static int on_verify(gnutls_session_t session)
{
    struct tls_session *tls = gnutls_session_get_ptr(session);
    unsigned count = 0;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &count);
    enum tls_purpose purpose = tls->side == TLS_SIDE_SERVER ? TLS_PURPOSE_CLIENT : TLS_PURPOSE_SERVER;
    enum ev_err err = EV_OK;
    if (tls->refusal == NULL) {
        tls->refusal = calloc(1, sizeof *tls->refusal);
    }
    if (tls->refusal == NULL) {
        return GNUTLS_E_MEMORY_ERROR;
    }
    if (tls->material->kind == TLS_KIND_PINNED) {
        err = check_pinned(tls, der, count);
    } else {
        err = tls_check_chain(tls->material->trust, der, count, purpose, tls->host, 0, &tls->peer,
                              &tls->alert, tls->refusal);
    }
    if (err == EV_OK && tls->expected_role != NODE_ROLE_NONE && tls->peer.role != tls->expected_role) {
        tls->alert = GNUTLS_A_ACCESS_DENIED;
        err = failure_set(tls->refusal, EV_ERR_AUTH, "the peer is a %s (%s), expected is a %s",
                          node_role_text(tls->peer.role), tls->peer.id, node_role_text(tls->expected_role));
    }
    if (err != EV_OK) {
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
    }
    free(tls->refusal);
    tls->refusal = NULL;
    return 0;
}

/* --- life --- */

static int session_set_credentials(struct tls_session *tls, enum tls_side side)
{
    struct tls_material *material = tls->material;
    const char *priority = material->kind == TLS_KIND_PSK ? PRIORITY_PSK : PRIORITY_CERTIFICATE;
    int result = gnutls_priority_set_direct(tls->session, priority, NULL);
    if (result < 0) {
        return result;
    }
    if (material->kind == TLS_KIND_PSK) {
        return gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK,
                                      side == TLS_SIDE_SERVER ? (void *)material->psk_server
                                                              : (void *)material->psk_client);
    }
    gnutls_session_set_verify_function(tls->session, on_verify);
    if (side == TLS_SIDE_SERVER) {
        gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
    }
    return gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, material->certificate);
}

enum ev_err tls_session_new(struct tls_credentials *credentials, enum tls_side side, int fd, const char *host,
                            enum node_role expected_role, struct tls_session **ret_session)
{
    unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
    struct tls_session *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return EV_ERR_NOMEM;
    }
    tls->material = tls_credentials_material(credentials);
    tls->side = side;
    tls->expected_role = expected_role;
    EV_ASSERT(side == TLS_SIDE_CLIENT || tls->material->kind != TLS_KIND_PINNED);
    if (side == TLS_SIDE_CLIENT && host != NULL) {
        tls->host = strdup(host);
    }
    if ((host != NULL && side == TLS_SIDE_CLIENT && tls->host == NULL) ||
        gnutls_init(&tls->session, flags | (side == TLS_SIDE_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT)) < 0) {
        tls_session_free(tls);
        return EV_ERR_NOMEM;
    }
    gnutls_session_set_ptr(tls->session, tls);
    if (session_set_credentials(tls, side) < 0) {
        tls_session_free(tls);
        return EV_ERR_TLS;
    }
    gnutls_transport_set_int(tls->session, fd);
    gnutls_handshake_set_timeout(tls->session, GNUTLS_INDEFINITE_TIMEOUT); /* the connection has a deadline */
    *ret_session = tls;
    return EV_OK;
}

void tls_session_free(struct tls_session *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->session != NULL) {
        gnutls_deinit(tls->session);
    }
    tls_material_free(tls->material);
    free(tls->host);
    free(tls->root_pem);
    free(tls->refusal);
    free(tls);
}

/* --- errors in words --- */

static enum ev_err explain_alert(gnutls_alert_description_t alert, struct failure *failure)
{
    switch (alert) {
    case GNUTLS_A_CLOSE_NOTIFY:
        return failure_set(failure, EV_ERR_CLOSED, "closed by the peer");
    case GNUTLS_A_CERTIFICATE_REQUIRED:
        return failure_set(failure, EV_ERR_AUTH, "the peer requires a certificate");
    case GNUTLS_A_CERTIFICATE_EXPIRED:
        return failure_set(failure, EV_ERR_AUTH, "the peer refuses our certificate: expired");
    case GNUTLS_A_CERTIFICATE_REVOKED:
        return failure_set(failure, EV_ERR_AUTH, "the peer refuses our certificate: revoked");
    case GNUTLS_A_UNKNOWN_CA:
        return failure_set(failure, EV_ERR_AUTH,
                           "the peer refuses our certificate: issued by another authority");
    case GNUTLS_A_BAD_CERTIFICATE:
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
    case GNUTLS_A_CERTIFICATE_UNKNOWN:
        return failure_set(failure, EV_ERR_AUTH, "the peer refuses our certificate");
    case GNUTLS_A_ACCESS_DENIED:
        return failure_set(failure, EV_ERR_AUTH, "the peer refuses our role");
    case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
    case GNUTLS_A_DECRYPT_ERROR:
        return failure_set(failure, EV_ERR_AUTH, "the peer does not share our key");
    default:
        return failure_set(failure, EV_ERR_TLS, "the peer ended TLS: %s", gnutls_alert_get_strname(alert));
    }
}

static enum ev_err explain(struct tls_session *tls, int result, struct failure *failure)
{
    int error = errno;
    switch (result) {
    case GNUTLS_E_AGAIN:
    case GNUTLS_E_INTERRUPTED:
        return EV_ERR_AGAIN;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return explain_alert(gnutls_alert_get(tls->session), failure);
    case GNUTLS_E_PREMATURE_TERMINATION:
        return failure_set(failure, EV_ERR_CLOSED, "the connection was cut");
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return failure_set(failure, EV_ERR_IO, "%s",
                           error == ECONNRESET || error == EPIPE ? "connection reset by the peer"
                                                                 : strerror(error));
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
        return failure_set(failure, EV_ERR_AUTH, "the peer has no certificate");
    default:
        break;
    }
    if (tls->refusal != NULL) {
        return failure_set(failure, EV_ERR_AUTH, "%s", tls->refusal->text);
    }
    if (tls->material->kind == TLS_KIND_PSK &&
        (result == GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER || result == GNUTLS_E_INSUFFICIENT_CREDENTIALS ||
         result == GNUTLS_E_NO_CIPHER_SUITES || result == GNUTLS_E_DECRYPTION_FAILED)) {
        return failure_set(failure, EV_ERR_AUTH, "the peer does not share our key");
    }
    return failure_set(failure, EV_ERR_TLS, "TLS: %s", gnutls_strerror(result));
}

/* --- input and output --- */

enum ev_err tls_session_handshake(struct tls_session *tls, struct failure *ret_failure)
{
    int result = GNUTLS_E_AGAIN;
    do {
        result = gnutls_handshake(tls->session);
        /* Warnings are not fatal, and are no reason to wait either. */
    } while (result < 0 && result != GNUTLS_E_AGAIN && gnutls_error_is_fatal(result) == 0);
    if (result >= 0) {
        return EV_OK;
    }
    enum ev_err err = explain(tls, result, ret_failure);
    if (err != EV_ERR_AGAIN && result != GNUTLS_E_FATAL_ALERT_RECEIVED) {
        /* So that the other side can say why. It may be lost; the error is ours all the same. */
        int alerted = 0;
        if (tls->refusal != NULL) {
            alerted = gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, tls->alert);
        } else if (tls->material->kind == TLS_KIND_PSK && err == EV_ERR_AUTH) {
            alerted = gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, GNUTLS_A_DECRYPT_ERROR);
        } else {
            alerted = gnutls_alert_send_appropriate(tls->session, result);
        }
        (void)alerted;
    }
    return err;
}

enum ev_err tls_session_read(struct tls_session *tls, void *buffer, size_t size, size_t *ret_len,
                             struct failure *ret_failure)
{
    ssize_t got = gnutls_record_recv(tls->session, buffer, size);
    if (got > 0) {
        *ret_len = (size_t)got;
        return EV_OK;
    }
    if (got == 0) {
        return failure_set(ret_failure, EV_ERR_CLOSED, "closed by the peer");
    }
    if (gnutls_error_is_fatal((int)got) == 0) {
        return EV_ERR_AGAIN;
    }
    return explain(tls, (int)got, ret_failure);
}

enum ev_err tls_session_write(struct tls_session *tls, const void *bytes, size_t len, size_t *ret_len,
                              struct failure *ret_failure)
{
    /* GnuTLS wants the very same record again after EAGAIN; it kept it, and takes NULL for "that one". */
    ssize_t sent = tls->unsent > 0 ? gnutls_record_send(tls->session, NULL, 0)
                                   : gnutls_record_send(tls->session, bytes, len);
    if (sent >= 0) {
        *ret_len = tls->unsent > 0 ? tls->unsent : (size_t)sent;
        tls->unsent = 0;
        return EV_OK;
    }
    if (gnutls_error_is_fatal((int)sent) == 0) {
        size_t most = gnutls_record_get_max_size(tls->session);
        tls->unsent = tls->unsent > 0 ? tls->unsent : len < most ? len : most;
        return EV_ERR_AGAIN;
    }
    return explain(tls, (int)sent, ret_failure);
}

enum ev_err tls_session_bye(struct tls_session *tls)
{
    int result = gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    return result == GNUTLS_E_SUCCESS ? EV_OK : result == GNUTLS_E_AGAIN ? EV_ERR_AGAIN : EV_ERR_TLS;
}

bool tls_session_wants_write(const struct tls_session *tls)
{
    return gnutls_record_get_direction(tls->session) == 1;
}

bool tls_session_has_pending(const struct tls_session *tls)
{
    return gnutls_record_check_pending(tls->session) > 0;
}

const struct peer_identity *tls_session_peer(const struct tls_session *tls)
{
    return &tls->peer;
}

const char *tls_session_root_pem(const struct tls_session *tls)
{
    return tls->root_pem;
}
