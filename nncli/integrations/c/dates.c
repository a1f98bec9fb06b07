/* ---- Dates ------------------------------------------------------------------------------------------------------ */

#define A_DAY 86400000000LL /* in microseconds */
#define FIRST_DAY (-719162LL) /* of year 1, in days since 1970 */
#define LAST_DAY 2932896LL /* of year 9999 */
#define LAST_MOMENT (2932897.0 - 1.0 / 2147483648.0) /* its last 20 microseconds would round to the next day */
#define MAX_DATE 200 /* the most bytes of a date */

/* The parts of a date. `half` of the day is -1 if there is none, `offset` is that of the time zone, in minutes. */
struct moment {
    long long year;
    int month, day, hour, half, minute, second, nanosecond, offset;
};

/* A number of at most `width` digits, with white space before it. */
static int parse_digits(struct span *text, int width, long long *value)
{
    const char *from;
    *text = without_space_before(*text);
    *value = 0;
    for (from = text->start; text->start < text->end && is_digit(*text->start) && text->start - from < width;)
        *value = *value < 100000000000000LL ? 10 * *value + (*text->start++ - '0') : (text->start++, *value);
    return text->start > from;
}

static int parse_part(struct span *text, int *value)
{
    long long number;
    int is_read = parse_digits(text, 2, &number);
    *value = (int)number;
    return is_read;
}

static int parse_year(struct span *text, struct moment *moment)
{
    int sign = 1;
    *text = without_space_before(*text);
    if (text->start == text->end || (*text->start != '+' && *text->start != '-'))
        return parse_digits(text, 4, &moment->year);
    if (*text->start++ == '-')
        sign = -1;
    if (text->start == text->end || !is_digit(*text->start))
        return 0;
    if (!parse_digits(text, MAX_DATE, &moment->year))
        return 0;
    moment->year *= sign;
    return 1;
}

/* A word in any case, of which the first `n` bytes are there. */
static int parse_word(struct span *text, const char *word, int n)
{
    struct span prefix = *text;
    if (text->end - text->start < n)
        return 0;
    prefix.end = text->start + n;
    if (!equals_in_lower_case(prefix, word))
        return 0;
    text->start = prefix.end;
    return 1;
}

static int parse_month(struct span *text, int may_be_long, int *month)
{
    static const char *const names[][2] = {
        {"jan", "uary"},  {"feb", "ruary"}, {"mar", "ch"},       {"apr", "il"},    {"may", ""},       {"jun", "e"},
        {"jul", "y"},     {"aug", "ust"},   {"sep", "tember"},   {"oct", "ober"},  {"nov", "ember"},  {"dec", "ember"},
    };
    for (*month = 1; *month <= 12; ++*month) {
        if (parse_word(text, names[*month - 1][0], 3)) {
            struct span rest = span_of(names[*month - 1][1]);
            if (may_be_long)
                parse_word(text, rest.start, (int)(rest.end - rest.start));
            return 1;
        }
    }
    return 0;
}

/* A point and digits, if there is a point. */
static int parse_fraction(struct span *text, int *nanosecond)
{
    int digits = 0;
    *nanosecond = 0;
    if (text->start == text->end || *text->start != '.')
        return 1;
    for (text->start++; text->start < text->end && is_digit(*text->start); text->start++) {
        if (digits++ < 9)
            *nanosecond = 10 * *nanosecond + (*text->start - '0');
    }
    for (; digits > 0 && digits < 9; digits++)
        *nanosecond *= 10;
    return digits > 0;
}

/* +02:00, +0200 */
static int parse_offset(struct span *text, struct moment *moment)
{
    int sign = 1, i, parts[2];
    *text = without_space_before(*text);
    if (starts_with(*text, "\342\210\222")) {
        sign = -1;
        text->start += 3;
    } else if (text->start < text->end && (*text->start == '+' || *text->start == '-'))
        sign = *text->start++ == '-' ? -1 : 1;
    else
        return 0;
    for (i = 0; i < 2; i++) {
        if (text->end - text->start < 2 || !is_digit(text->start[0]) || !is_digit(text->start[1]))
            return 0;
        parts[i] = 10 * (text->start[0] - '0') + (text->start[1] - '0');
        text->start += 2;
        while (i == 0 && text->start < text->end) {
            struct span before = *text;
            *text = without_space_before(*text);
            if (text->start < text->end && *text->start == ':')
                text->start++;
            if (text->start == before.start)
                break;
        }
    }
    moment->offset = sign * (60 * parts[0] + parts[1]);
    return parts[0] < 24 && parts[1] < 60;
}

/* One directive of a format: %d and its like. */
static int parse_directive(struct span *text, char directive, struct moment *moment)
{
    int part;
    switch (directive) {
    case 'Y':
        return parse_year(text, moment);
    case 'y':
            if (!parse_part(text, &part))
            return 0;
        moment->year = part + (part < 70 ? 2000 : 1900);
        return 1;
    case 'm':
        return parse_part(text, &moment->month);
    case 'b':
    case 'B':
        return parse_month(text, directive == 'B', &moment->month);
    case 'd':
        return parse_part(text, &moment->day);
    case 'H':
    case 'I':
        return parse_part(text, &moment->hour);
    case 'M':
        return parse_part(text, &moment->minute);
    case 'S':
        return parse_part(text, &moment->second);
    case 'f':
        return parse_fraction(text, &moment->nanosecond);
    case 'p':
        moment->half = parse_word(text, "am", 2) ? 0 : parse_word(text, "pm", 2) ? 1 : -1;
        return moment->half >= 0;
    default:
        return parse_offset(text, moment);
    }
}

/* The days since 1970 of a date of the Gregorian calendar; 0 if there is no such date. */
static int days_of(const struct moment *moment, long long *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    long long y = moment->year - 1, m;
    int is_leap = moment->year % 4 == 0 && (moment->year % 100 != 0 || moment->year % 400 == 0);
    if (moment->year < 0 || moment->year > 9999 || moment->month < 1 || moment->month > 12 || moment->day < 1)
        return 0;
    if (moment->day > lengths[moment->month - 1] + (is_leap && moment->month == 2))
        return 0;
    *days = y < 0 ? -366 : 365 * y + y / 4 - y / 100 + y / 400; /* since the first day of year 1 */
    for (m = 1; m < moment->month; m++)
        *days += lengths[m - 1] + (is_leap && m == 2);
    *days += moment->day - 1 - 719162;
    return 1;
}

/* Microseconds since 1970, in UTC; 0 if there is no such date or time. */
static int microseconds_of(struct moment moment, long long *value)
{
    long long days;
    if (!days_of(&moment, &days) || moment.minute > 59 || moment.second > 60)
        return 0;
    if (moment.half >= 0) {
        if (moment.hour < 1 || moment.hour > 12)
            return 0;
        moment.hour = moment.hour % 12 + 12 * moment.half;
    }
    if (moment.hour > 23)
        return 0;
    *value = days * A_DAY + (moment.hour * 60LL + moment.minute - moment.offset) * 60000000LL +
             moment.second * 1000000LL + moment.nanosecond / 1000;
    return 1;
}

/* Read a whole text in a format of %Y, %m, %d and their like. */
static int parse_format(struct span text, const char *format, long long *value)
{
    struct moment moment = {0, 1, 1, 0, -1, 0, 0, 0, 0};
    struct span rest = span_of(format);
    while (rest.start < rest.end) {
        const char *next = rest.start;
        if (is_space(next_character(&next, rest.end))) {
            text = without_space_before(text);
            rest.start = next;
        } else if (*rest.start == '%') {
            rest.start += rest.start[1] == '.' ? 2 : 1;
            if (!parse_directive(&text, *rest.start++, &moment))
                return 0;
        } else if (text.start == text.end || *text.start++ != *rest.start++)
            return 0;
    }
    return text.start == text.end && microseconds_of(moment, value);
}

static int is_in_range(long long value)
{
    return value >= FIRST_DAY * A_DAY && value < (LAST_DAY + 1) * A_DAY;
}
