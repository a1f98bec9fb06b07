/* ---- Text ------------------------------------------------------------------------------------------------------- */

#define MAX_CHARACTERS 100000 /* of a cell; the rest is ignored */

/* The place of the range that has a character, -1 if none has. */
static int range_of(const struct range *ranges, int n, uint32_t c)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else if (c < ranges[middle].first)
            high = middle;
        else
            return middle;
    }
    return -1;
}

/* Whether the next character that is not ignorable, behind `at` or (step -1) before it, has a case. */
static int has_cased_neighbor(struct span text, const char *at, int step)
{
    while (step < 0 ? at > text.start : at < text.end) {
        const char *next;
        uint32_t c;
        if (step < 0) {
            do
                at--;
            while (at > text.start && ((unsigned char)*at & 0xC0) == 0x80);
        }
        next = at;
        c = next_character(&next, text.end);
        if (range_of(ignorable, N_IGNORABLE, c) < 0)
            return range_of(cased, N_CASED, c) >= 0;
        if (step > 0)
            at = next;
    }
    return 0;
}

/* Write the character at `at` in lower case, at most four bytes; one that no known word has is 0xFF. */
static int write_lower_case(struct span text, const char *at, char *out)
{
    const char *next = at, *lower = "\377";
    uint32_t c = next_character(&next, text.end);
    int n, place = range_of(lower_case, N_LOWER_CASE, c);
    if (c == SIGMA && place >= 0)
        lower = has_cased_neighbor(text, at, -1) && !has_cased_neighbor(text, next, 1) ? "\317\202" : "\317\203";
    else if (place >= 0)
        lower = lower_case_texts[place];
    for (n = 0; lower[n] != '\0'; n++)
        out[n] = lower[n];
    return n;
}

/* Two adjacent words, by their numbers, and the term that they are. */
struct pair {
    int first, second, term;
};

/* The words by number, the term that each is (-1 for none), and pairs in ascending order. */
struct vocabulary {
    const struct entry *words;
    const int *terms;
    const struct pair *pairs;
    int n_words, n_pairs, n_terms;
};

static int term_of_pair(const struct vocabulary *vocabulary, int first, int second)
{
    int low = 0, high = vocabulary->n_pairs;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const struct pair *pair = &vocabulary->pairs[middle];
        if (pair->first == first && pair->second == second)
            return pair->term;
        if (pair->first < first || (pair->first == first && pair->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* How often each term is in a text, then 1 if it is missing, else 0. */
static void count_terms(const char *cell, const struct vocabulary *vocabulary, double *counts)
{
    char word[LONGEST_WORD + 4];
    struct span text, lower;
    const char *at;
    int i, n = 0, is_in_word = 0, previous = -1;
    for (i = 0; i < vocabulary->n_terms; i++)
        counts[i] = 0.0;
    counts[vocabulary->n_terms] = cell == NULL;
    if (cell == NULL)
        return;
    text = lower = span_of(cell);
    for (i = 0, at = text.start; i < MAX_CHARACTERS && at < text.end; i++)
        next_character(&at, text.end);
    text.end = at;
    for (at = text.start;;) {
        const char *start = at;
        if (at < text.end && range_of(word_characters, N_WORD_CHARACTERS, next_character(&at, text.end)) >= 0) {
            is_in_word = 1;
            if (n <= LONGEST_WORD)
                n += write_lower_case(text, start, word + n);
            continue;
        }
        if (is_in_word) {
            int number, term;
            lower.start = word;
            lower.end = word + n;
            number = n <= LONGEST_WORD ? find(vocabulary->words, vocabulary->n_words, lower) : -1;
            if (number >= 0 && vocabulary->terms[number] >= 0)
                counts[vocabulary->terms[number]] += 1.0;
            term = number >= 0 && previous >= 0 ? term_of_pair(vocabulary, previous, number) : -1;
            if (term >= 0)
                counts[term] += 1.0;
            previous = number;
            is_in_word = n = 0;
        }
        if (start == text.end)
            return;
    }
}
