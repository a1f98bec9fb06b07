/* ---- Spellings of numbers ---------------------------------------------------------------------------------------- */

static int append(struct word *word, struct span text)
{
    while (text.start < text.end) {
        if (word->n == MAX_NUMBER)
            return 0;
        word->text[word->n++] = *text.start++;
    }
    return 1;
}

static struct span span_of_word(const struct word *word)
{
    struct span span = {word->text, word->text + word->n};
    return span;
}

static int starts_with(struct span text, const char *prefix)
{
    for (; *prefix != '\0'; prefix++, text.start++) {
        if (text.start == text.end || *text.start != *prefix)
            return 0;
    }
    return 1;
}

static int has_digit(struct span text)
{
    while (text.start < text.end && !is_digit(*text.start))
        text.start++;
    return text.start < text.end;
}

/* The bytes of a mark at the beginning of a text, 0 if it is not there; " " is also a space that does not break. */
static int mark_at(struct span text, const char *mark)
{
    if (*mark == '\0')
        return 0;
    if (mark[0] == ' ' && mark[1] == '\0') {
        if (starts_with(text, "\302\240"))
            return 2;
        if (starts_with(text, "\342\200\257"))
            return 3;
    }
    return starts_with(text, mark) ? (int)(span_of(mark).end - mark) : 0;
}

/* The text without a mark. */
static void remove_mark(struct word *word, const char *mark)
{
    struct word kept;
    struct span rest = span_of_word(word);
    kept.n = 0;
    while (rest.start < rest.end) {
        int n = mark_at(rest, mark);
        if (n == 0)
            kept.text[kept.n++] = *rest.start++;
        rest.start += n;
    }
    *word = kept;
}

/* Whether all characters are white space or one of the marks. */
static int consists_of_space_and(struct span text, const char *marks)
{
    while (text.start < text.end) {
        const char *mark = marks;
        uint32_t c = next_character(&text.start, text.end);
        while (*mark != '\0' && (uint32_t)*mark != c)
            mark++;
        if (*mark == '\0' && !is_space(c))
            return 0;
    }
    return 1;
}

/* Remove a unit that is there once, before or behind the number. */
static int remove_sign(struct word *word, const char *unit)
{
    struct span rest = span_of_word(word), before, after;
    struct word bare;
    int length = (int)(span_of(unit).end - unit), count = 0;
    before = after = rest;
    while (rest.start < rest.end) {
        if (!starts_with(rest, unit)) {
            rest.start++;
            continue;
        }
        if (count++ == 0) {
            before.end = rest.start;
            after.start = rest.start + length;
        }
        rest.start += length;
    }
    if (count != 1 || (!consists_of_space_and(before, "(+-") && !consists_of_space_and(after, ")")))
        return 0;
    bare.n = 0;
    if (!append(&bare, before) || !append(&bare, after))
        return 0;
    *word = bare;
    return 1;
}

/* Whether a number is in parentheses, which are removed from the text. */
static int remove_parentheses(struct span *text)
{
    struct span inside = *text, at;
    if (inside.end - inside.start < 3 || *inside.start != '(' || inside.end[-1] != ')')
        return 0;
    inside.start++;
    inside.end--;
    for (at = inside; at.start < at.end; at.start++) {
        if (*at.start == '(' || *at.start == ')' || *at.start == '+' || *at.start == '-')
            return 0;
    }
    if (!has_digit(inside))
        return 0;
    *text = inside;
    return 1;
}

static int is_mark(char c)
{
    return c == '.' || c == ',';
}

/* The text without .- at its end, which stands for no cents. */
static struct span without_cents(struct span text)
{
    static const char *const dashes[] = {"-", "\342\200\223", "\342\200\224"};
    size_t i;
    for (i = 0; i < sizeof dashes / sizeof *dashes; i++) {
        struct span dash = text;
        int length = (int)(span_of(dashes[i]).end - dashes[i]);
        if (text.end - text.start < length + 2)
            continue;
        dash.start = text.end - length;
        if (starts_with(dash, dashes[i]) && is_mark(dash.start[-1]) && is_digit(dash.start[-2])) {
            text.end = dash.start - 1;
            break;
        }
    }
    return text;
}

/* Whether an amount with two decimals has a minus sign behind it, which is removed from the text. */
static int remove_minus_behind(struct span *text)
{
    const char *end = text->end;
    if (end - text->start < 5 || end[-1] != '-' || !is_digit(end[-2]) || !is_digit(end[-3]) || !is_mark(end[-4]) ||
        !is_digit(*text->start))
        return 0;
    text->end--;
    return 1;
}

/* A number without its unit; 0 if it has another one, or none. A cell without a digit stays as it is. */
static int strip_unit(struct word *word, const char *unit)
{
    struct word bare;
    struct span text;
    if (!has_digit(span_of_word(word)))
        return 1;
    if (unit[0] != '(' && !remove_sign(word, unit))
        return 0;
    text = without_cents(stripped(span_of_word(word)));
    bare.n = 0;
    if (remove_minus_behind(&text) || remove_parentheses(&text))
        bare.text[bare.n++] = '-';
    else if (*text.start == '+' || *text.start == '-')
        bare.text[bare.n++] = *text.start++;
    if (bare.n > 0)
        text = without_space_before(text);
    append(&bare, text);
    bare.n = (int)(stripped(span_of_word(&bare)).end - bare.text);
    *word = bare;
    return 1;
}

static const char *digits_from(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* The end of an exponent at `at`; `at` if there is none. */
static const char *exponent_from(const char *at, const char *end)
{
    const char *from = at;
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    from++;
    if (from < end && (*from == '+' || *from == '-'))
        from++;
    return digits_from(from, end) == from ? at : digits_from(from, end);
}

/* The end of one to three digits and of the groups of three behind them; their number. */
static const char *groups_from(const char *at, const char *end, const char *between, int *groups)
{
    struct span rest;
    const char *from = digits_from(at, end);
    *groups = 0;
    if (from == at || from - at > 3)
        return at;
    for (rest.end = end;;) {
        int n, i;
        rest.start = from;
        n = mark_at(rest, between);
        if (n == 0 || end - from < n + 3)
            return from;
        for (i = 0; i < 3 && is_digit(from[n + i]); i++)
            ;
        if (i < 3)
            return from;
        from += n + 3;
        ++*groups;
    }
}

/* Whether a fraction, an exponent and white space are all that is left. */
static int ends_as_number(const char *at, const char *end, char decimal)
{
    struct span rest;
    if (at < end && *at == decimal)
        at = digits_from(at + 1, end);
    rest.start = exponent_from(at, end);
    rest.end = end;
    return consists_of_space_and(rest, "");
}

static void use_point(struct word *word, char decimal)
{
    int i;
    for (i = 0; i < word->n && word->text[i] != decimal; i++)
        ;
    if (i < word->n)
        word->text[i] = '.';
}

/* A number in the spelling of the training table. */
static int parse_number_as_trained(struct word word, const struct number_format *format, double *value)
{
    struct span text;
    const char *at;
    int groups;
    if (format->unit[0] != '\0' && !strip_unit(&word, format->unit))
        return 0;
    if (format->decimal == '.' && format->thousands[0] == '\0')
        return parse_plain_number(span_of_word(&word), value);
    text = without_space_before(span_of_word(&word));
    if (has_digit(text)) {
        at = text.start + (text.start < text.end && (*text.start == '+' || *text.start == '-'));
        if (!ends_as_number(groups_from(at, text.end, format->thousands, &groups), text.end, format->decimal) &&
            !ends_as_number(digits_from(at, text.end), text.end, format->decimal))
            return 0;
    }
    remove_mark(&word, format->thousands);
    use_point(&word, format->decimal);
    return parse_plain_number(span_of_word(&word), value);
}

/* Whether a text without a sign is a fraction, such as .5, with or without an exponent. */
static int is_fraction(struct span text, char decimal)
{
    const char *at;
    if (text.start == text.end || *text.start != decimal)
        return 0;
    at = digits_from(text.start + 1, text.end);
    return at > text.start + 1 && exponent_from(at, text.end) == text.end;
}

/* Whether a number without a sign has this separator of thousands, in a place in which it can mean nothing else. */
static int has_thousands(struct span text, const char *between, char decimal)
{
    int groups, is_mark = *between == ',' || *between == '.';
    const char *at = groups_from(text.start, text.end, between, &groups);
    if (groups == 0 || *text.start == '0' || *between == decimal)
        return 0;
    if (at == text.end)
        return groups >= 2 || !is_mark;
    return *at == decimal && digits_from(at + 1, text.end) > at + 1 && digits_from(at + 1, text.end) == text.end;
}

/* A number in another spelling, if it can mean one number only. */
static int parse_number_otherwise(struct word word, const struct number_format *format, double *value)
{
    static const char *const separators[] = {",", ".", "'", "\342\200\231", "_", " "};
    struct word bare = word;
    struct span text = span_of_word(&word), rest;
    int groups;
    size_t i;
    for (rest = text; rest.start < rest.end; rest.start++) { /* the first minus sign or en dash is a hyphen */
        if (starts_with(rest, "\342\210\222") || starts_with(rest, "\342\200\223")) {
            bare.n = (int)(rest.start - text.start);
            bare.text[bare.n++] = '-';
            rest.start += 3;
            append(&bare, rest);
            break;
        }
    }
    word = bare;
    if (format->unit[0] != '\0' && !strip_unit(&bare, format->unit)) {
        bare = word;
        if (format->is_percent || !strip_unit(&bare, "()"))
            return 0;
    }
    text = span_of_word(&bare);
    if (text.start < text.end && (*text.start == '+' || *text.start == '-'))
        text.start++;
    rest = text;
    rest.start = digits_from(text.start, text.end);
    if (rest.start == text.start ? is_fraction(text, format->decimal)
                                 : ends_as_number(rest.start, rest.end, format->decimal)) {
        use_point(&bare, format->decimal);
        return parse_plain_number(span_of_word(&bare), value);
    }
    for (i = 0; i < sizeof separators / sizeof *separators; i++) {
        if (has_thousands(text, separators[i], format->decimal)) {
            remove_mark(&bare, separators[i]);
            use_point(&bare, format->decimal);
            return parse_plain_number(span_of_word(&bare), value);
        }
    }
    rest.start = groups_from(text.start, text.end, format->thousands, &groups);
    if (groups == 0 || !ends_as_number(rest.start, text.end, format->decimal))
        return 0;
    remove_mark(&bare, format->thousands); /* as in the training table, without the unit */
    use_point(&bare, format->decimal);
    return parse_plain_number(span_of_word(&bare), value);
}

/* NAN for a missing cell. 0 if the cell is not a finite number. */
static int parse_number(const char *cell, const struct number_format *format, double *value)
{
    struct word word;
    struct span text;
    *value = NAN;
    if (is_missing(cell))
        return 1;
#ifdef CHECK
    if (cell[0] == CHECKED && parse_plain_number(text_of(cell), value))
        return !isinf(*value);
#endif
    text = stripped(text_of(cell));
    word.n = 0;
    if (!append(&word, text))
        return 0;
    if (!parse_number_as_trained(word, format, value) && !parse_number_otherwise(word, format, value)) {
        if (!format->reads_booleans)
            return 0;
        if (!equals_in_lower_case(text, "true") && !equals_in_lower_case(text, "false"))
            return 0;
        *value = equals_in_lower_case(text, "true") ? 1.0 : 0.0;
    }
    return !isinf(*value);
}
