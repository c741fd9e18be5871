#include "registry/body.h"

#include "common/rules/ids.h"
#include "common/wire/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define PRICE_CENTS_MAX 1000
#define CITY_TEXT_SIZE 257 /* before NFC, which may shorten it */

static enum ev_err bad_field(struct failure *ret_failure, enum ev_err err, const char *text)
{
    return failure_set(ret_failure, err, "%s", text);
}

bool body_id_is_good(const char *id)
{
    struct cp_id parsed; /* ids of all roles are of one form */
    return cp_id_parse(id, &parsed) == EV_OK;
}

/* ---- city ---- */

static bool is_plain_text(const uint8_t *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        ucs4_t c = 0;
        int step = u8_mbtouc(&c, text + at, length - at);
        if (step <= 0 || c == 0xfffd || uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc) ||
            uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Co |
                                                    UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp |
                                                    UC_CATEGORY_MASK_Cf))
            return false;
        at += (size_t)step;
    }
    return true;
}

enum ev_err body_normalise_city(const char *text, char ret_city[STORE_CITY_SIZE])
{
    size_t length = 0;
    enum ev_err err = EV_ERR_PARSE;
    if (!json_is_utf8(text, strlen(text)))
        return EV_ERR_PARSE;
    uint8_t *normal = u8_normalize(UNINORM_NFC, (const uint8_t *)text, strlen(text), NULL, &length);
    if (normal == NULL)
        return EV_ERR_NOMEM;
    if (length >= STORE_CITY_SIZE)
        err = EV_ERR_RANGE;
    else if (length > 0 && normal[0] != ' ' && normal[length - 1] != ' ' && is_plain_text(normal, length))
        err = EV_OK;
    if (err == EV_OK) {
        memcpy(ret_city, normal, length);
        ret_city[length] = '\0';
    }
    free(normal);
    return err;
}

static enum ev_err read_place(const cJSON *tree, struct store_node *node, struct failure *ret_failure)
{
    char city[CITY_TEXT_SIZE];
    enum ev_err err = json_get_text(tree, "city", city, sizeof city);
    if (err == EV_OK)
        err = body_normalise_city(city, node->city);
    if (err != EV_OK)
        return bad_field(ret_failure, EV_ERR_RANGE, "city: 1 to 64 bytes of printable text are needed");
    if (json_get_real(tree, "lat", -90, 90, &node->lat) != EV_OK)
        return bad_field(ret_failure, EV_ERR_RANGE, "lat: a number from -90 to 90 is needed");
    if (json_get_real(tree, "lon", -180, 180, &node->lon) != EV_OK)
        return bad_field(ret_failure, EV_ERR_RANGE, "lon: a number from -180 to 180 is needed");
    if (json_get_integer(tree, "price_cents_per_kwh", 0, PRICE_CENTS_MAX, &node->price_cents_per_kwh) !=
        EV_OK)
        return bad_field(ret_failure, EV_ERR_RANGE,
                         "price_cents_per_kwh: a whole number from 0 to 1000 is needed");
    return EV_OK;
}

/* ---- hosts ---- */

size_t body_split_hosts(char *hosts, const char **ret_hosts)
{
    size_t count = 0;
    for (char *at = hosts, *comma = NULL; at != NULL && *at != '\0' && count < AUTHORITY_HOSTS_MAX;
         at = comma == NULL ? NULL : comma + 1) {
        comma = strchr(at, ',');
        if (comma != NULL)
            *comma = '\0';
        ret_hosts[count++] = at;
    }
    return count;
}

static enum ev_err read_hosts(const cJSON *tree, struct store_node *node, struct failure *ret_failure)
{
    const cJSON *hosts = NULL, *host = NULL;
    char joined[STORE_HOSTS_SIZE] = "";
    size_t used = 0;
    if (!json_has(tree, "hosts") || json_is_null(tree, "hosts"))
        return EV_OK;
    hosts = json_member(tree, "hosts");
    if (!cJSON_IsArray(hosts) || cJSON_GetArraySize(hosts) > AUTHORITY_HOSTS_MAX)
        return bad_field(ret_failure, EV_ERR_RANGE,
                         "hosts: a list of at most 16 names and addresses is needed");
    cJSON_ArrayForEach(host, hosts)
    {
        if (!cJSON_IsString(host) || !authority_host_is_good(host->valuestring))
            return bad_field(ret_failure, EV_ERR_RANGE, "hosts: one is neither a DNS name nor an IP address");
        int more =
            snprintf(joined + used, sizeof joined - used, "%s%s", used == 0 ? "" : ",", host->valuestring);
        EV_ASSERT(more > 0 && (size_t)more < sizeof joined - used);
        used += (size_t)more;
    }
    memcpy(node->hosts, joined, used + 1);
    return EV_OK;
}

/* ---- whole bodies ---- */

static enum ev_err read_role(const cJSON *tree, enum node_role role, struct store_node *node,
                             struct failure *ret_failure)
{
    char text[16];
    node->role = role;
    if (role != NODE_ROLE_NONE)
        return EV_OK;
    if (json_get_text(tree, "role", text, sizeof text) != EV_OK ||
        node_role_parse(text, &node->role) != EV_OK ||
        (node->role != NODE_ROLE_WEATHER && node->role != NODE_ROLE_CENTRAL))
        return bad_field(ret_failure, EV_ERR_PARSE, "role: `weather` or `central` is needed");
    return EV_OK;
}

enum ev_err body_parse_registration(const cJSON *tree, enum node_role role, struct body *ret_body,
                                    struct failure *ret_failure)
{
    struct store_node *node = &ret_body->node;
    memset(ret_body, 0, sizeof *ret_body);
    if (!cJSON_IsObject(tree))
        return bad_field(ret_failure, EV_ERR_PARSE, "a JSON object is needed");
    if (json_get_text(tree, "invitation", ret_body->invitation, sizeof ret_body->invitation) != EV_OK)
        return bad_field(ret_failure, EV_ERR_PARSE, "invitation: a code of `ev_registry invite` is needed");
    if (json_get_text(tree, "csr", ret_body->csr, sizeof ret_body->csr) != EV_OK)
        return bad_field(ret_failure, EV_ERR_PARSE, "csr: a certificate request in PEM is needed");
    if (json_get_text(tree, "id", node->id, sizeof node->id) != EV_OK || !body_id_is_good(node->id))
        return bad_field(ret_failure, EV_ERR_PARSE, "id: 1 to 32 of A-Z a-z 0-9 - _ are needed");
    enum ev_err err = read_role(tree, role, node, ret_failure);
    if (err == EV_OK && node->role == NODE_ROLE_CP)
        err = read_place(tree, node, ret_failure);
    if (err == EV_OK && node->role == NODE_ROLE_CENTRAL)
        err = read_hosts(tree, node, ret_failure);
    return err;
}

enum ev_err body_parse_renewal(const cJSON *tree, char ret_csr[AUTHORITY_REQUEST_MAX],
                               struct store_node *kept, struct failure *ret_failure)
{
    if (!cJSON_IsObject(tree))
        return bad_field(ret_failure, EV_ERR_PARSE, "a JSON object is needed");
    if (json_get_text(tree, "csr", ret_csr, AUTHORITY_REQUEST_MAX) != EV_OK)
        return bad_field(ret_failure, EV_ERR_PARSE, "csr: a certificate request in PEM is needed");
    return kept->role == NODE_ROLE_CENTRAL ? read_hosts(tree, kept, ret_failure) : EV_OK;
}
