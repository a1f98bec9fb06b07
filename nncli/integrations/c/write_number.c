/* Write a number with the fewest digits that give it again, of float32 if `is_float`. */
static void write_number(double x, int is_float)
{
    char text[40], digits[20];
    int precision, n = 0, exponent, i;
    if (isnan(x)) {
        fputs("NaN", stdout);
        return;
    }
    if (isinf(x)) {
        fputs(x < 0 ? "-inf" : "inf", stdout);
        return;
    }
    for (precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        if (is_float ? (float)strtod(text, NULL) == (float)x : strtod(text, NULL) == x)
            break;
    }
    for (i = text[0] == '-'; text[i] != 'e'; i++) {
        if (is_digit(text[i]))
            digits[n++] = text[i];
    }
    exponent = (int)strtol(text + i + 1, NULL, 10);
    if (text[0] == '-')
        putchar('-');
    if (exponent < -5 || exponent > 15) {
        putchar(digits[0]);
        if (n > 1)
            printf(".%.*s", n - 1, digits + 1);
        printf("e%+d", exponent);
        return;
    }
    if (exponent < 0)
        fputs("0.", stdout);
    for (i = exponent < 0 ? exponent + 1 : 0; i < n || i <= exponent + 1; i++) {
        putchar(i >= 0 && i < n ? digits[i] : '0');
        if (i == exponent)
            putchar('.');
    }
}
