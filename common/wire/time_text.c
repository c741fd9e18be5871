#include "common/wire/time_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct civil {
    int64_t year;
    int64_t month; /* 1 .. 12 */
    int64_t day;   /* 1 .. 31 */
};

/* Days since 1970 in the proleptic Gregorian calendar, counted in years that begin in March, so that the leap
 * day is a year's last. */
static int64_t days_from_civil(struct civil date)
{
    const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    const int64_t era = year / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t month_from_march = (date.month + 9) % 12;
    const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    const int64_t shifted = days + 719468;
    const int64_t era = shifted / 146097;
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    return (struct civil){year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

static void put_digits(char *text, size_t count, int64_t value)
{
    while (count > 0) {
        text[--count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_text_format(int64_t ms, char ret_text[TIME_TEXT_SIZE])
{
    if (ms < 0)
        ms = 0;
    if (ms > TIME_MS_MAX)
        ms = TIME_MS_MAX;
    const struct civil date = civil_from_days(ms / TIME_DAY_MS);
    const int64_t of_day = ms % TIME_DAY_MS;
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
    put_digits(ret_text, 4, date.year);
    put_digits(ret_text + 5, 2, date.month);
    put_digits(ret_text + 8, 2, date.day);
    put_digits(ret_text + 11, 2, of_day / 3600000);
    put_digits(ret_text + 14, 2, of_day / 60000 % 60);
    put_digits(ret_text + 17, 2, of_day / 1000 % 60);
    put_digits(ret_text + 20, 3, of_day % 1000);
}

/* Reads `count` digits with a value of min to max and moves on. */
static bool take_number(const char **text, size_t count, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        const char digit = (*text)[i];
        if (digit < '0' || digit > '9')
            return false;
        value = value * 10 + (digit - '0');
    }
    *text += count;
    *ret = value;
    return value >= min && value <= max;
}

static bool take_character(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(const char **text, struct civil *ret)
{
    return take_number(text, 4, 0, 9999, &ret->year) && take_character(text, '-') &&
           take_number(text, 2, 1, 12, &ret->month) && take_character(text, '-') &&
           take_number(text, 2, 1, days_in_month(ret->year, ret->month), &ret->day);
}

/* `hh:mm:ss[.fraction]` in milliseconds. */
static bool take_time(const char **text, int64_t *ret_ms)
{
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    if (!take_number(text, 2, 0, 23, &hour) || !take_character(text, ':') ||
        !take_number(text, 2, 0, 59, &minute) || !take_character(text, ':') ||
        !take_number(text, 2, 0, 59, &second))
        return false;
    int64_t ms = 0;
    if (take_character(text, '.')) {
        size_t digits = 0;
        int64_t weight = 100;
        while (**text >= '0' && **text <= '9') {
            ms += (**text - '0') * weight; /* from the fourth digit on the weight is 0: cut */
            weight /= 10;
            digits++;
            (*text)++;
        }
        if (digits == 0 || digits > 9)
            return false;
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* `Z`, `+hh:mm` or `-hh:mm` in milliseconds east of UTC. */
static bool take_offset(const char **text, int64_t *ret_ms)
{
    int64_t hour = 0;
    int64_t minute = 0;
    *ret_ms = 0;
    if (take_character(text, 'Z'))
        return true;
    const bool west = **text == '-';
    if (!take_character(text, west ? '-' : '+') || !take_number(text, 2, 0, 23, &hour) ||
        !take_character(text, ':') || !take_number(text, 2, 0, 59, &minute))
        return false;
    *ret_ms = (west ? -1 : 1) * (hour * 60 + minute) * 60000;
    return true;
}

enum ev_err time_text_parse(const char *text, int64_t *ret_ms)
{
    struct civil date = {0, 0, 0};
    int64_t of_day = 0;
    int64_t offset = 0;
    if (text == NULL || !take_date(&text, &date) || !take_character(&text, 'T') ||
        !take_time(&text, &of_day) || !take_offset(&text, &offset) || *text != '\0')
        return EV_ERR_PARSE;
    if (date.year < 1969)
        return EV_ERR_RANGE;
    const int64_t ms = days_from_civil(date) * TIME_DAY_MS + of_day - offset;
    if (ms < 0 || ms > TIME_MS_MAX)
        return EV_ERR_RANGE;
    *ret_ms = ms;
    return EV_OK;
}

int64_t time_text_day_start(int64_t ms)
{
    return ms <= 0 ? 0 : ms - ms % TIME_DAY_MS;
}
