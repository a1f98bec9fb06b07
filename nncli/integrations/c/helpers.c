/* ---- Operations -------------------------------------------------------------------------------------------------- */

/* Of two numbers the smaller one; NAN if one of them is. */
static double minimum(double x, double y)
{
    return x < y || isnan(x) ? x : y;
}

/* Of two numbers the larger one; NAN if one of them is. */
static double maximum(double x, double y)
{
    return x > y || isnan(x) ? x : y;
}

/* A code within a table of n rows. */
static int place_of(double code, int n)
{
    return code >= 0.0 && code < n ? (int)code : 0;
}

/* A category of n; a value that is none is like an unseen one. */
static int code_of(int category, int n)
{
    return category >= 0 && category < n ? category : 1;
}

/* How many of n edges, in ascending order, are at most x. */
static double count_up_to(const double *edges, int n, double x)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (edges[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double sum_of(const double *x, int n)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++)
        sum += x[j];
    return sum;
}

/* The largest of n numbers; NAN if one of them is. */
static double maximum_of(const double *x, int n)
{
    double largest = x[0];
    for (int j = 1; j < n; j++)
        largest = x[j] > largest || isnan(x[j]) ? x[j] : largest;
    return largest;
}

/* The position of the largest of n numbers, the first of several; of the first NAN if there is one. */
static double position_of_maximum(const double *x, int n)
{
    int largest = 0;
    for (int j = 1; j < n && !isnan(x[largest]); j++) {
        if (x[j] > x[largest] || isnan(x[j]))
            largest = j;
    }
    return largest;
}

/* Sort n numbers in ascending order; NAN comes last. */
static void sort(double *x, int n)
{
    for (int i = 1; i < n; i++) {
        double moved = x[i];
        int j = i;
        for (; j > 0 && (moved < x[j - 1] || (isnan(x[j - 1]) && !isnan(moved))); j--)
            x[j] = x[j - 1];
        x[j] = moved;
    }
}

/* How many of the n ascending numbers shift + scale score are at most x. */
static int count_sums(const double *scores, int n, double shift, double scale, double x)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (shift + scale * scores[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many sums shift + scale score of all groups are at most x. */
static int count_all_sums(const double *shifts, const double *scales, const double *scores, const int *sizes,
                          int n_groups, double x)
{
    int count = 0;
    for (int g = 0; g < n_groups; scores += sizes[g++])
        count += count_sums(scores, sizes[g], shifts[g], scales == NULL ? 1.0 : scales[g], x);
    return count;
}

/* The rank-th smallest sum shift + scale score of all groups, whose scores are ascending; by halving an interval. */
static double smallest_sum(const double *shifts, const double *scales, const double *scores, const int *sizes,
                           int n_groups, int rank)
{
    double low = HUGE_VAL, high = -HUGE_VAL;
    const double *group = scores;
    for (int g = 0; g < n_groups; group += sizes[g++]) {
        double scale = scales == NULL ? 1.0 : scales[g];
        if (isnan(shifts[g]) || isnan(scale))
            return NAN;
        if (sizes[g] > 0) {
            low = minimum(low, shifts[g] + scale * group[0]);
            high = maximum(high, shifts[g] + scale * group[sizes[g] - 1]);
        }
    }
    if (count_all_sums(shifts, scales, scores, sizes, n_groups, low) >= rank)
        return low;
    for (;;) { /* fewer than `rank` sums are at most low, and at least `rank` are at most high */
        double middle = low / 2.0 + high / 2.0;
        if (middle <= low || middle >= high)
            return high;
        if (count_all_sums(shifts, scales, scores, sizes, n_groups, middle) >= rank)
            high = middle;
        else
            low = middle;
    }
}
