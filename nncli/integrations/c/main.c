/* ---- Rows as CSV ------------------------------------------------------------------------------------------------ */

#include <stdio.h>
#include <stdlib.h>

#ifndef MAX_RECORD
#define MAX_RECORD (1 << 20) /* the most bytes of a line, with the line ends in its quoted cells */
#endif
#ifndef MAX_CELLS
#define MAX_CELLS 16384 /* the most cells of a line */
#endif
#define DATA_ERROR 4 /* the exit code of nncli for tables that it cannot read */

static char record[MAX_RECORD], header[MAX_RECORD];
static char *cells[MAX_CELLS];
static size_t header_length, header_position;
static int reads_header;
static unsigned long row_number;

/* Write a text on the standard error, at most 200 bytes of it, without control characters. */
static void write_quoted(const char *text)
{
    int i;
    fputc('"', stderr);
    for (i = 0; text[i] != '\0' && i < 200; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            fprintf(stderr, "\\x%02x", (unsigned)text[i]);
        else
            fputc(text[i], stderr);
    }
    fputs(text[i] == '\0' ? "\"" : "...\"", stderr);
}

static void fail(const char *message)
{
    if (row_number == 0)
        fprintf(stderr, "error: header: %s\n", message);
    else
        fprintf(stderr, "error: row %lu: %s\n", row_number, message);
    exit(DATA_ERROR);
}

static void fail_at(int column, const char *cell, const char *message)
{
    if (row_number == 0)
        fputs("error: header, column ", stderr);
    else
        fprintf(stderr, "error: row %lu, column ", row_number);
    write_quoted(columns[column].name);
    fputs(": ", stderr);
    if (cell != NULL) {
        write_quoted(cell);
        fputc(' ', stderr);
    }
    fprintf(stderr, "%s\n", message);
    exit(DATA_ERROR);
}

static int next_byte(void)
{
    int c;
    if (reads_header)
        return header_position < header_length ? (unsigned char)header[header_position++] : EOF;
    c = getchar();
    if (c == EOF && ferror(stdin)) {
        fputs("error: the standard input cannot be read\n", stderr);
        exit(1);
    }
    return c;
}

/* The byte after a carriage return, if it is no newline. */
static int waiting_byte = EOF;

/* Why a line cannot be read. */
static const char *refusal;

static int refuse(const char *reason)
{
    refusal = reason;
    return -2;
}

/* The number of cells of the next line; -1 after the last line, -2 if the line cannot be read. */
static int parse_record(char separator)
{
    enum { BEFORE, PLAIN, QUOTED, CLOSED } state = BEFORE;
    size_t n = 0, start = 0;
    int count = 0, c = waiting_byte != EOF ? waiting_byte : next_byte();
    waiting_byte = EOF;
    if (c == EOF)
        return -1;
    for (;; c = next_byte()) {
        int is_end = c == '\n' || c == '\r' || c == EOF, is_blank = c == ' ' || c == '\t';
        if (c == '\0')
            return refuse("there is a NUL byte: the table is no text in UTF-8");
        if (n + 2 > MAX_RECORD)
            return refuse("the line is too long: compile with a larger -DMAX_RECORD, or close a quoted cell");
        if (state == QUOTED && c == EOF)
            return refuse("a quoted cell is never closed");
        if (state == QUOTED) {
            if (c == '"')
                state = CLOSED;
            else
                record[n++] = (char)c;
            continue;
        }
        if (is_end || c == separator) {
            if (count == MAX_CELLS)
                return refuse("the line has too many cells: compile with a larger -DMAX_CELLS");
            cells[count++] = record + start;
            record[n++] = '\0';
            start = n;
            state = BEFORE;
            if (!is_end)
                continue;
            if (c == '\r' && (c = next_byte()) != '\n')
                waiting_byte = c;
            return count;
        }
        if (c == '"' && state == CLOSED) {
            if (n + 1 < MAX_RECORD)
                record[n++] = '"';
            state = QUOTED;
        } else if (c == '"' && state == BEFORE) {
            n = start;
            state = QUOTED;
        } else if (state == CLOSED) {
            if (!is_blank)
                return refuse("a quoted cell continues after its closing quote: double the quotes within it");
        } else {
            record[n++] = (char)c;
            state = is_blank ? state : PLAIN;
        }
    }
}

/* Keep the first line, so that it can be read with several separators. */
static void keep_header(void)
{
    int c, quotes = 0;
    while ((c = getchar()) != EOF) {
        if (header_length == MAX_RECORD)
            fail("the line is too long: compile with a larger -DMAX_RECORD");
        header[header_length++] = (char)c;
        quotes += c == '"';
        if (quotes % 2 == 0 && c == '\n')
            break;
        if (quotes % 2 == 0 && c == '\r') {
            c = getchar();
            if (c != '\n')
                waiting_byte = c;
            break;
        }
    }
    header_position = header_length >= 3 && (unsigned char)header[0] == 0xEF && (unsigned char)header[1] == 0xBB &&
                              (unsigned char)header[2] == 0xBF
                          ? 3
                          : 0;
}

/* Read the header: the number of its cells, and the position of each column; -1 if it is not there, -2 if it is twice. */
static int parse_header(char separator, int *positions)
{
    size_t start = header_position;
    int count, i, j, next = waiting_byte;
    reads_header = 1;
    waiting_byte = EOF;
    count = parse_record(separator);
    waiting_byte = next;
    reads_header = 0;
    header_position = start;
    for (j = 0; j < N_COLUMNS; j++) {
        positions[j] = -1;
        for (i = 0; i < count; i++) {
            if (compare(span_of(cells[i]), span_of(columns[j].name)) == 0) {
                positions[j] = positions[j] == -1 ? i : -2;
            }
        }
    }
    return count;
}

static int is_utf8(const char *cell)
{
    struct span rest = span_of(cell);
    while (rest.start < rest.end) {
        int is_replacement = (unsigned char)*rest.start == 0xEF;
        if (next_character(&rest.start, rest.end) == 0xFFFD && !is_replacement)
            return 0;
    }
    return 1;
}

int main(void)
{
    static const char separators[] = {',', ';', '\t', '|'};
    static struct row row;
    static int positions[N_COLUMNS + 1];
    int count, i, j, best = 0, most = -1;
    keep_header();
    for (i = 0; i < 4; i++) {
        int named = 0;
        parse_header(separators[i], positions);
        for (j = 0; j < N_COLUMNS; j++)
            named += positions[j] != -1;
        if (named > most) {
            most = named;
            best = i;
        }
    }
    count = parse_header(separators[best], positions);
    if (count == -2)
        fail(refusal);
    for (j = 0; j < N_COLUMNS; j++) {
        if (positions[j] == -2)
            fail_at(j, NULL, "there are two columns of that name");
        if (positions[j] < 0)
            fail_at(j, NULL, "there is no such column");
    }
    puts(output_header);
    for (;;) {
        int n = parse_record(separators[best]);
        if (n == -1)
            break;
        if (n == 1 && count > 1 && cells[0][0] == '\0')
            continue;
        row_number++;
        if (n == -2)
            fail(refusal);
        if (n < count)
            fail("the line has fewer cells than the header");
        for (i = count; i < n; i++) {
            if (stripped(span_of(cells[i])).start < stripped(span_of(cells[i])).end)
                fail("the line has more cells than the header: quote cells that contain the separator");
        }
        for (j = 0; j < N_COLUMNS; j++) {
            if (!is_utf8(cells[positions[j]]))
                fail_at(j, cells[positions[j]], "is not text in UTF-8");
            if (!parse_cell(&row, j, cells[positions[j]]))
                fail_at(j, cells[positions[j]], columns[j].message);
        }
        if (!write_row(&row))
            fail("a number is too far from those of the training rows");
        putchar('\n');
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("error: the standard output cannot be written\n", stderr);
        return 1;
    }
    return 0;
}
