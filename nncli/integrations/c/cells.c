/* ---- Cells of text --------------------------------------------------------------------------------------------- */

struct span {
    const char *start, *end;
};

static struct span span_of(const char *text)
{
    struct span span = {text, text};
    while (*span.end != '\0')
        span.end++;
    return span;
}

/* The character at `at`, which is moved behind it. What is not UTF-8 is one character a byte, U+FFFD. */
static uint32_t next_character(const char **at, const char *end)
{
    const unsigned char *s = (const unsigned char *)*at;
    uint32_t c = s[0];
    ptrdiff_t i, n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (n > end - *at)
        n = 0;
    if (n > 1)
        c &= 0x7Fu >> n;
    for (i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            n = 0;
        else
            c = c << 6 | (s[i] & 0x3Fu);
    }
    if (n == 0 || (n == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) || (n == 4 && (c < 0x10000 || c > 0x10FFFF))) {
        *at += 1;
        return 0xFFFD;
    }
    *at += n;
    return c;
}

/* White space of Unicode. */
static int is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static struct span without_space_before(struct span text)
{
    while (text.start < text.end) {
        const char *next = text.start;
        if (!is_space(next_character(&next, text.end)))
            break;
        text.start = next;
    }
    return text;
}

static struct span stripped(struct span text)
{
    const char *at, *end;
    text = without_space_before(text);
    for (at = end = text.start; at < text.end;) {
        if (!is_space(next_character(&at, text.end)))
            end = at;
    }
    text.end = end;
    return text;
}

/* Less than 0, 0 or more than 0: the order of the bytes. */
static int compare(struct span a, struct span b)
{
    while (a.start < a.end && b.start < b.end) {
        int difference = (unsigned char)*a.start++ - (unsigned char)*b.start++;
        if (difference != 0)
            return difference;
    }
    return (a.start < a.end) - (b.start < b.end);
}

/* The value of a text among n entries in ascending order, -1 if it is none of them. */
static int find(const struct entry *entries, int n, struct span text)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = compare(span_of(entries[middle].text), text);
        if (order == 0)
            return entries[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

#ifdef CHECK
/* `nncli export --check` writes numbers after this character, plainly, and dates after it and a `d`, as days since 1970.
 * Nothing after it is a missing cell. */
#define CHECKED '\032'
#endif

static int is_missing(const char *cell)
{
#ifdef CHECK
    if (cell != NULL && cell[0] == CHECKED && cell[1] == '\0')
        return 1;
#endif
    return cell == NULL || find(missing_values, N_MISSING_VALUES, span_of(cell)) >= 0;
}

static struct span text_of(const char *cell)
{
#ifdef CHECK
    if (cell[0] == CHECKED)
        cell++;
#endif
    return span_of(cell);
}
