/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

struct number_format {
    const char *unit;      /* removed from a cell; "" if there is none, "()" for negative numbers in parentheses */
    const char *thousands; /* "" if there is none; " " is also a space that does not break */
    char decimal;
    int is_percent, reads_booleans;
};

#define MAX_NUMBER 1000 /* the most bytes of a number */
#define MAX_DIGITS 800  /* more decide nothing: the longest decimal between two doubles has 767 */
#define MAX_WORDS 130   /* of 32 bits: the largest number here is below 10^1150 */

struct word {
    char text[MAX_NUMBER + 1];
    int n;
};

/* A natural number of n words, the lowest first. */
struct natural {
    uint32_t words[MAX_WORDS];
    int n;
};

/* x = x factor + summand */
static void multiply(struct natural *x, uint32_t factor, uint32_t summand)
{
    uint64_t carry = summand;
    int i;
    for (i = 0; i < x->n; i++) {
        carry += (uint64_t)x->words[i] * factor;
        x->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0)
        x->words[x->n++] = (uint32_t)carry;
}

static void multiply_by_power_of_ten(struct natural *x, int exponent)
{
    for (; exponent >= 9; exponent -= 9)
        multiply(x, 1000000000u, 0);
    for (; exponent > 0; exponent--)
        multiply(x, 10, 0);
}

static int bits_of(const struct natural *x)
{
    int bits = 32 * x->n;
    uint32_t top;
    if (x->n == 0)
        return 0;
    for (top = x->words[x->n - 1]; (top & 0x80000000u) == 0; top <<= 1)
        bits--;
    return bits;
}

static void shift_left(struct natural *x, int bits)
{
    int words = bits / 32, i;
    multiply(x, (uint32_t)1 << bits % 32, 0);
    for (i = x->n - 1; words > 0 && i >= 0; i--)
        x->words[i + words] = x->words[i];
    for (i = 0; i < words; i++)
        x->words[i] = 0;
    x->n += words;
}

static int is_less(const struct natural *x, const struct natural *y)
{
    int i;
    if (x->n != y->n)
        return x->n < y->n;
    for (i = x->n - 1; i >= 0; i--) {
        if (x->words[i] != y->words[i])
            return x->words[i] < y->words[i];
    }
    return 0;
}

/* x = x - y, for y that is at most x */
static void subtract(struct natural *x, const struct natural *y)
{
    uint64_t borrow = 0;
    int i;
    for (i = 0; i < x->n; i++) {
        uint64_t other = (i < y->n ? y->words[i] : 0) + borrow;
        borrow = x->words[i] < other;
        x->words[i] = (uint32_t)(x->words[i] - other);
    }
    while (x->n > 0 && x->words[x->n - 1] == 0)
        x->n--;
}

/* The double that is nearest to digits 10^exponent, of two the even one; by whole numbers alone. */
static double nearest_double(const char *digits, int n, int exponent)
{
    struct natural x = {{0}, 0}, y = {{1}, 1};
    uint64_t quotient = 0;
    int i, scale, bits;
    for (i = 0; i < n; i++)
        multiply(&x, 10, (uint32_t)(digits[i] - '0'));
    if (x.n == 0 || n + exponent < -330)
        return 0.0;
    if (n + exponent > 310)
        return HUGE_VAL;
    multiply_by_power_of_ten(exponent < 0 ? &y : &x, exponent < 0 ? -exponent : exponent);
    /* x / y = fraction 2^scale, of which `bits` bits are kept: 53, or fewer below the smallest normal number */
    scale = bits_of(&x) - bits_of(&y);
    if (scale < 0)
        shift_left(&x, -scale);
    else
        shift_left(&y, scale);
    if (is_less(&x, &y)) {
        multiply(&x, 2, 0);
        scale--;
    }
    bits = scale < -1022 ? 53 - (-1022 - scale) : 53;
    if (bits < 0)
        return 0.0;
    for (i = 0; i < bits; i++) {
        quotient <<= 1;
        if (!is_less(&x, &y)) {
            subtract(&x, &y);
            quotient |= 1;
        }
        multiply(&x, 2, 0);
    }
    if (is_less(&y, &x) || (!is_less(&x, &y) && (quotient & 1)))
        quotient++;
    return ldexp((double)quotient, scale - bits + 1);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int equals_in_lower_case(struct span text, const char *word)
{
    for (; text.start < text.end && *word != '\0'; text.start++, word++) {
        if ((*text.start >= 'A' && *text.start <= 'Z' ? *text.start + 32 : *text.start) != *word)
            return 0;
    }
    return text.start == text.end && *word == '\0';
}

/* Digits with a point, and an exponent; nan, inf and infinity in any case. */
static int parse_plain_number(struct span text, double *value)
{
    char digits[MAX_DIGITS];
    int n = 0, seen = 0, exponent = 0, after_point = 0, is_negative = 0;
    text = stripped(text);
    if (text.start < text.end && (*text.start == '+' || *text.start == '-'))
        is_negative = *text.start++ == '-';
    if (equals_in_lower_case(text, "nan")) {
        *value = NAN;
        return 1;
    }
    if (equals_in_lower_case(text, "inf") || equals_in_lower_case(text, "infinity")) {
        *value = is_negative ? -HUGE_VAL : HUGE_VAL;
        return 1;
    }
    for (; text.start < text.end && (is_digit(*text.start) || (*text.start == '.' && !after_point)); text.start++) {
        if (*text.start == '.') {
            after_point = 1;
            continue;
        }
        seen = 1;
        exponent -= after_point;
        if (n == 0 && *text.start == '0')
            continue;
        if (n < MAX_DIGITS) {
            digits[n++] = *text.start;
            continue;
        }
        exponent++;
        if (*text.start != '0' && digits[MAX_DIGITS - 1] == '0')
            digits[MAX_DIGITS - 1] = '1'; /* more than the digits so far, which decides between two doubles */
    }
    if (!seen)
        return 0;
    if (text.start < text.end && (*text.start == 'e' || *text.start == 'E')) {
        int sign = 1, power = 0;
        text.start++;
        if (text.start < text.end && (*text.start == '+' || *text.start == '-'))
            sign = *text.start++ == '-' ? -1 : 1;
        if (text.start == text.end)
            return 0;
        for (; text.start < text.end && is_digit(*text.start); text.start++)
            power = power < 100000 ? 10 * power + (*text.start - '0') : power;
        exponent += sign * power;
    }
    if (text.start < text.end)
        return 0;
    *value = nearest_double(digits, n, exponent);
    if (is_negative)
        *value = -*value;
    return 1;
}
