#include "tests/wire/message_examples.h"

#define CP                                                                                                   \
    {                                                                                                        \
        "MAD-01"                                                                                             \
    }
#define SESSION "01JEJWFRFJ000G40R40M30E27Z"
#define REQUEST "01JEJWFRFJ0004081040R3GHZZ"
#define HEAD(type) "{\"type\":\"" type "\",\"cp_id\":\"MAD-01\""
#define KEY_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

const struct message_example message_examples[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = {{.type = MESSAGE_HELLO,
                        .cp_id = CP,
                        .hello = {.version = 1, .cause = MESSAGE_CAUSE_OPERATOR, .program_version = "0.1.0"}},
                       HEAD("hello") ",\"version\":1,\"cause\":\"operator\",\"program_version\":\"0.1.0\"}"},
    [MESSAGE_WELCOME] = {{.type = MESSAGE_WELCOME,
                          .cp_id = CP,
                          .welcome = {.heartbeat_ms = 5000,
                                      .kafka = "127.0.0.1:9092",
                                      .price_cents_per_kwh = 54,
                                      .holds = HOLD_ADMIN | HOLD_KEY,
                                      .server_time_ms = 1764000000123}},
                         HEAD("welcome") ",\"heartbeat_ms\":5000,\"kafka\":\"127.0.0.1:9092\","
                                         "\"price_cents_per_kwh\":54,\"holds\":[\"admin\",\"key\"],"
                                         "\"server_time_ms\":1764000000123}"},
    [MESSAGE_REFUSE] = {{.type = MESSAGE_REFUSE,
                         .cp_id = CP,
                         .refuse = {.code = MESSAGE_REFUSE_KEY_DROPPED,
                                    .detail = "say \"connect\"\n\xC2\xA1ya!"}},
                        HEAD("refuse") ",\"code\":\"key_dropped\","
                                       "\"detail\":\"say \\\"connect\\\"\\n\xC2\xA1ya!\"}"},
    [MESSAGE_HEARTBEAT] = {{.type = MESSAGE_HEARTBEAT, .cp_id = CP}, HEAD("heartbeat") "}"},
    [MESSAGE_STATUS] = {{.type = MESSAGE_STATUS,
                         .cp_id = CP,
                         .status = {.engine_ok = true,
                                    .fault = "",
                                    .plugged = true,
                                    .supply = CP_SUPPLY_CHARGING,
                                    .session_id = {SESSION},
                                    .maintenance = false,
                                    .sync = true,
                                    .max_power_w = 22000,
                                    .speed = 60,
                                    .battery_wh = 60000,
                                    .soc_permille = 205}},
                        HEAD("status") ",\"engine_ok\":true,\"fault\":\"\",\"plugged\":true,"
                                       "\"supply\":\"charging\",\"session_id\":\"" SESSION "\","
                                       "\"maintenance\":false,\"sync\":true,\"max_power_w\":22000,"
                                       "\"speed\":60,\"battery_wh\":60000,\"soc_permille\":205}"},
    [MESSAGE_KEY] = {{.type = MESSAGE_KEY,
                      .cp_id = CP,
                      .key = {.epoch = 4294967295,
                              .key = {{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 255}},
                              .kafka = "[::1]:9092",
                              .expires_in_ms = 300000}},
                     HEAD("key") ",\"epoch\":4294967295,\"key\":\"" KEY_TEXT "\","
                                 "\"kafka\":\"[::1]:9092\",\"expires_in_ms\":300000}"},
    [MESSAGE_KEY_ACK] = {{.type = MESSAGE_KEY_ACK,
                          .cp_id = CP,
                          .key_ack = {.epoch = 3, .old_epoch = 2, .old_last_sequence = -1}},
                         HEAD("key_ack") ",\"epoch\":3,\"old_epoch\":2,\"old_last_sequence\":-1}"},
    [MESSAGE_AUTHORISE] = {{.type = MESSAGE_AUTHORISE,
                            .cp_id = CP,
                            .authorise = {.session_id = {SESSION},
                                          .driver_id = {"driver_9"},
                                          .target_wh = 5000,
                                          .price_cents_per_kwh = 55,
                                          .prepare_ms = 60000}},
                           HEAD("authorise") ",\"session_id\":\"" SESSION "\",\"driver_id\":\"driver_9\","
                                             "\"target_wh\":5000,\"price_cents_per_kwh\":55,"
                                             "\"prepare_ms\":60000}"},
    [MESSAGE_CANCEL] = {{.type = MESSAGE_CANCEL,
                         .cp_id = CP,
                         .cancel = {.session_id = {SESSION}, .reason = REASON_NOT_PLUGGED_IN}},
                        HEAD("cancel") ",\"session_id\":\"" SESSION "\",\"reason\":\"not_plugged_in\"}"},
    [MESSAGE_STOP] = {{.type = MESSAGE_STOP,
                       .cp_id = CP,
                       .stop = {.session_id = {SESSION}, .reason = STOP_WEATHER}},
                      HEAD("stop") ",\"session_id\":\"" SESSION "\",\"reason\":\"weather\"}"},
    [MESSAGE_RESERVATION_ENDED] = {{.type = MESSAGE_RESERVATION_ENDED,
                                    .cp_id = CP,
                                    .reservation_ended = {.session_id = {SESSION},
                                                          .reason = MESSAGE_RESERVATION_CONTROL_LOST,
                                                          .detail = "Central is away"}},
                                   HEAD("reservation_ended") ",\"session_id\":\"" SESSION "\","
                                                             "\"reason\":\"control_lost\","
                                                             "\"detail\":\"Central is away\"}"},
    [MESSAGE_SUPPLY_STARTED] = {{.type = MESSAGE_SUPPLY_STARTED,
                                 .cp_id = CP,
                                 .supply_started = {.session_id = {SESSION}, .started_at_ms = 1764000000124}},
                                HEAD("supply_started") ",\"session_id\":\"" SESSION "\","
                                                       "\"started_at_ms\":1764000000124}"},
    [MESSAGE_SUPPLY_ENDED] = {{.type = MESSAGE_SUPPLY_ENDED,
                               .cp_id = CP,
                               .supply_ended = {.session_id = {SESSION},
                                                .energy_wms = 3600000000000000,
                                                .stop_reason = STOP_UNPLUGGED,
                                                .started_at_ms = 1764000000125,
                                                .ended_at_ms = 1764000000126}},
                              HEAD("supply_ended") ",\"session_id\":\"" SESSION "\","
                                                   "\"energy_wms\":\"3600000000000000\","
                                                   "\"stop_reason\":\"unplugged\","
                                                   "\"started_at_ms\":1764000000125,"
                                                   "\"ended_at_ms\":1764000000126}"},
    [MESSAGE_SETTLED] = {{.type = MESSAGE_SETTLED,
                          .cp_id = CP,
                          .settled = {.session_id = {SESSION}, .energy_wh = 12345, .cost_cents = 667}},
                         HEAD("settled") ",\"session_id\":\"" SESSION "\",\"energy_wh\":12345,"
                                         "\"cost_cents\":667}"},
    [MESSAGE_CHARGE_REQUEST] =
        {{.type = MESSAGE_CHARGE_REQUEST,
          .cp_id = CP,
          .charge_request = {.request_id = {REQUEST}, .driver_id = {"driver_9"}, .target_wh = 7000}},
         HEAD("charge_request") ",\"request_id\":\"" REQUEST "\","
                                "\"driver_id\":\"driver_9\",\"target_wh\":7000}"},
    [MESSAGE_CHARGE_ANSWER] = {{.type = MESSAGE_CHARGE_ANSWER,
                                .cp_id = CP,
                                .charge_answer = {.request_id = {REQUEST},
                                                  .accepted = false,
                                                  .reason = REASON_DRIVER_BUSY,
                                                  .session_id = {SESSION}}},
                               HEAD("charge_answer") ",\"request_id\":\"" REQUEST "\",\"accepted\":false,"
                                                     "\"reason\":\"driver_busy\","
                                                     "\"session_id\":\"" SESSION "\"}"},
    [MESSAGE_NOTICE] = {{.type = MESSAGE_NOTICE,
                         .cp_id = CP,
                         .notice = {.holds = HOLD_WEATHER | HOLD_MAINTENANCE,
                                    .price_cents_per_kwh = 56,
                                    .state = CP_UNAVAILABLE,
                                    .text = "frost in <b>Ulan Bator</b>"}},
                        HEAD("notice") ",\"holds\":[\"weather\",\"maintenance\"],\"price_cents_per_kwh\":56,"
                                       "\"state\":\"Unavailable\",\"text\":\"frost in <b>Ulan Bator</b>\"}"},
    [MESSAGE_IDENTIFY] = {{.type = MESSAGE_IDENTIFY,
                           .identify = {.version = 1,
                                        .program_version = "0.2.0",
                                        .count = 1000,
                                        .max_power_w = 150000,
                                        .battery_wh = 75000,
                                        .speed = 61}},
                          "{\"type\":\"identify\",\"version\":1,\"program_version\":\"0.2.0\",\"count\":1000,"
                          "\"max_power_w\":150000,\"battery_wh\":75000,\"speed\":61}"},
    [MESSAGE_ATTACH] = {{.type = MESSAGE_ATTACH, .cp_id = CP}, HEAD("attach") "}"},
    [MESSAGE_HEALTH] = {{.type = MESSAGE_HEALTH, .cp_id = CP, .health = {.n = 9007199254740991}},
                        HEAD("health") ",\"n\":9007199254740991}"},
    [MESSAGE_HEALTH_ANSWER] = {{.type = MESSAGE_HEALTH_ANSWER,
                                .cp_id = CP,
                                .health_answer = {.n = 17,
                                                  .ok = false,
                                                  .fault = "contactor welded",
                                                  .power_w = 7400,
                                                  .energy_wms = 0,
                                                  .soc_permille = 1000,
                                                  .session_id = {""}}},
                               HEAD("health_answer") ",\"n\":17,\"ok\":false,\"fault\":\"contactor welded\","
                                                     "\"power_w\":7400,\"energy_wms\":\"0\","
                                                     "\"soc_permille\":1000,\"session_id\":\"\"}"},
};
