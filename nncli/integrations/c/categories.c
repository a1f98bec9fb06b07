/* ---- Categories ------------------------------------------------------------------------------------------------- */

/* The zeros of a whole number are left out: 3 for 3.0. */
static struct span without_zeros(struct span text)
{
    const char *at = text.start, *point;
    if (at < text.end && (*at == '+' || *at == '-'))
        at++;
    if (at == text.end || *at < '0' || *at > '9' || (*at == '0' && at + 1 < text.end && at[1] != '.'))
        return text;
    while (at < text.end && *at >= '0' && *at <= '9')
        at++;
    point = at;
    if (at == text.end || *at++ != '.' || at == text.end)
        return text;
    while (at < text.end && *at == '0')
        at++;
    if (at == text.end)
        text.end = point;
    return text;
}

/* The code of a cell: by its text, by its key (without space around it and zeros behind it), by its key in lower case. */
static int category_of(const char *cell, const struct entry *texts, int n_texts, const struct entry *keys, int n_keys,
                       const struct entry *folded_keys, int n_folded_keys)
{
    struct span text, key;
    char folded[LONGEST_FOLDED_KEY + 1];
    int code, i;
    if (is_missing(cell))
        return 0;
    text = text_of(cell);
    code = find(texts, n_texts, text);
    key = without_zeros(stripped(text));
    if (code < 0)
        code = find(keys, n_keys, key);
    if (code < 0 && n_folded_keys > 0 && key.end - key.start <= LONGEST_FOLDED_KEY) {
        for (i = 0; i < key.end - key.start; i++)
            folded[i] = (char)(key.start[i] >= 'A' && key.start[i] <= 'Z' ? key.start[i] + 32 : key.start[i]);
        text.start = folded;
        text.end = folded + i;
        code = find(folded_keys, n_folded_keys, text);
    }
    return code < 0 ? 1 : code;
}
