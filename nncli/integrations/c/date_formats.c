/* The number of digits at the beginning of a text. */
static int count_digits(struct span text)
{
    return (int)(digits_from(text.start, text.end) - text.start);
}

static int is_time_mark(char c)
{
    return c == 'T' || c == ' ';
}

/* The zone behind hours and minutes without seconds, at a plus or minus sign; NULL if there is none. */
static const char *zone_after_minutes(struct span text)
{
    struct span rest = text;
    const char *next = text.start;
    while (rest.start < rest.end && !is_space(next_character(&next, rest.end)))
        rest.start = next;
    if (rest.start == text.start || rest.start == rest.end || *rest.start++ != ' ')
        return NULL;
    if (count_digits(rest) < 1 || count_digits(rest) > 2)
        return NULL;
    rest.start += count_digits(rest);
    if (rest.start == rest.end || *rest.start++ != ':' || count_digits(rest) < 2)
        return NULL;
    return rest.start + 2;
}

/* 2024-03-01, and 2024-03-01 13:45, with T or a space, seconds and their fraction, Z or an offset. */
static int parse_iso(struct span text, long long *value)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M",
                                          "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p"};
    struct word word, zoned;
    struct span rest;
    const char *minutes;
    size_t i;
    word.n = zoned.n = 0;
    if (text.end - text.start < 10 || text.start[4] != '-' || text.start[7] != '-' || !append(&word, text))
        return 0;
    for (i = 0; i < 10; i++) {
        if (i != 4 && i != 7 && !is_digit(text.start[i]))
            return 0;
    }
    if (word.n > 10 && !is_time_mark(word.text[10]))
        return 0;
    for (i = 0; i < (size_t)word.n && word.text[i] != 'T'; i++)
        ;
    if (i < (size_t)word.n)
        word.text[i] = ' ';
    text = span_of_word(&word);
    for (i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (parse_format(text, formats[i], value))
            return 1;
    }
    if (text.end[-1] == 'Z') { /* in words of MAX_NUMBER bytes there is room, as a date has at most MAX_DATE */
        word.n--;
        append(&word, span_of("+00:00"));
        text = span_of_word(&word);
    }
    minutes = zone_after_minutes(text);
    if (minutes != NULL) {
        rest.start = minutes;
        rest.end = text.end;
        if (rest.start < rest.end && *rest.start == ' ')
            rest.start++;
        if (rest.start < rest.end && (*rest.start == '+' || *rest.start == '-')) {
            text.end = minutes;
            append(&zoned, text);
            append(&zoned, span_of(":00"));
            append(&zoned, rest);
            text = span_of_word(&zoned);
        }
    }
    return parse_format(text, "%Y-%m-%d %H:%M:%S%.f%z", value);
}

/* The place of a time of day, with the T or the spaces before it; the end of the text if there is none. */
static struct span time_of_day(struct span text)
{
    struct span part = text, rest;
    for (; part.start < part.end; part.start++) {
        if (!is_time_mark(*part.start))
            continue;
        for (rest = part; rest.start < rest.end && is_time_mark(*rest.start); rest.start++)
            ;
        if (count_digits(rest) < 1 || count_digits(rest) > 2)
            continue;
        rest.start += count_digits(rest);
        if (rest.start == rest.end || *rest.start++ != ':' || count_digits(rest) < 2)
            continue;
        for (; rest.start < rest.end && *rest.start != '\n'; rest.start++)
            ;
        if (rest.start == rest.end)
            return part;
    }
    return part;
}

static int has_directive(const char *format, const char *directive)
{
    struct span rest;
    for (rest = span_of(format); rest.start < rest.end; rest.start++) {
        if (starts_with(rest, directive))
            return 1;
    }
    return 0;
}

static int has_four_digits(struct span text)
{
    for (; text.start < text.end; text.start++) {
        if (count_digits(text) >= 4)
            return 1;
    }
    return 0;
}

/* A date in one format, after which a time of day may follow if the format has none. */
static int parse_date_in(struct span text, const char *format, long long *value)
{
    struct span clock, at;
    struct word word;
    long long days, n;
    int is_read;
    text = stripped(text);
    if (has_directive(format, "%Y") && !has_four_digits(text))
        return 0;
    if (format[0] == '\0')
        is_read = parse_iso(text, value);
    else if (has_directive(format, "%M"))
        is_read = parse_format(text, format, value);
    else {
        clock = time_of_day(text);
        text.end = clock.start;
        if (!parse_format(text, format, value))
            return 0;
        days = *value;
        at = clock;
        while (at.start < at.end && is_time_mark(*at.start))
            at.start++;
        word.n = 0;
        if (at.start == at.end)
            return is_in_range(*value);
        append(&word, span_of("1970-01-01 ")); /* the time of day as in ISO 8601 */
        if (!append(&word, at) || !parse_iso(span_of_word(&word), &n))
            return 0;
        *value = days + n;
        is_read = 1;
    }
    return is_read && is_in_range(*value);
}

/* Eight digits, such as 20240531. */
static int parse_compact_date(struct span text, long long *value)
{
    struct span rest = without_space_before(text);
    if (count_digits(rest) != 8 || (*rest.start != '1' && *rest.start != '2'))
        return 0;
    rest.start += 8;
    if (rest.start < rest.end && !is_time_mark(*rest.start) && !consists_of_space_and(rest, ""))
        return 0;
    return parse_date_in(text, "%Y%m%d", value);
}

/* Days since 1970, NAN for a missing cell. 0 if the cell is not a date, or day and month could be in either order.
 * `formats` are tried in order, "" is ISO 8601; then eight digits, then pairs of formats that must not contradict. */
static int parse_date(const char *cell, const char *const *formats, int n_formats, const char *const (*pairs)[2],
                     int n_pairs, double *value)
{
    struct span text;
    long long moment = 0, other = 0, days;
    int i, is_read = 0;
    *value = NAN;
    if (is_missing(cell))
        return 1;
#ifdef CHECK
    if (cell[0] == CHECKED && cell[1] == 'd')
        return parse_plain_number(span_of(cell + 2), value);
#endif
    text = stripped(text_of(cell));
    if (text.end - text.start > MAX_DATE)
        return 0;
    for (i = 0; i < n_formats && !is_read; i++)
        is_read = parse_date_in(text, formats[i], &moment);
    if (!is_read)
        is_read = parse_compact_date(text, &moment);
    for (i = 0; i < n_pairs && !is_read; i++) {
        int is_first = parse_date_in(text, pairs[i][0], &moment), is_last = parse_date_in(text, pairs[i][1], &other);
        is_read = is_first || is_last;
        if (is_first && is_last && moment != other)
            is_read = 0;
        if (!is_first)
            moment = other;
    }
    if (!is_read)
        return 0;
    days = moment / A_DAY - (moment % A_DAY < 0);
    *value = (double)days + (double)(moment - days * A_DAY) / (double)A_DAY;
    if (*value > LAST_MOMENT)
        *value = LAST_MOMENT;
    return 1;
}
