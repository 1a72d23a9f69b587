/* The loops of the detector that numpy does in many passes over memory.

   Each function does what the Python function of the same name does, bit for bit: the same single
   precision operations in the same order. The Python version is the one to read and to change
   first; `tests/model/test_kernels.py` compares the two. There is no allocation, no state and no
   input from strangers here other than ids below `size`; all bounds come from the caller.

   Plain C99 without Python.h, called through ctypes (`native.py`): a compiler is all it takes. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* One copy of the hot loops for each generation of processors, chosen when the library is loaded.
   The operations are the same; only how many are done at once differs. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2")))
#else
#define FOR_EACH_PROCESSOR
#endif

enum {
    BLOCK = 256, /* places looked up at once: what is asked for ahead must stay in the cache. Of 128
                    to 2,048, 54 to 81 ns a character, 128 and 256 are best */
    MOST_PAIRS = 1024
};

/* Raised with every change of a function's arguments or of a struct: `native.py` asks. */
EXPORT int32_t interface(void) { return 3; }

/* --- static_table.py ---------------------------------------------------------------------- */

typedef struct {
    const uint32_t *words;
    uint64_t segment_bits;
    uint64_t segments;
} Table;

typedef struct {
    uint32_t place[3];
    uint32_t fingerprint;
} Slot;

enum { VALUE_BITS = 18 };

static inline uint64_t mixed(uint64_t h) {
    h += 0x9E3779B97F4A7C15u;
    h ^= h >> 30;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 27;
    h *= 0x94D049BB133111EBu;
    h ^= h >> 31;
    return h;
}

static inline Slot slot_of(const Table *table, uint64_t key) {
    uint64_t h = mixed(key);
    uint64_t mask = ((uint64_t)1 << table->segment_bits) - 1;
    uint64_t step = mask + 1;
    uint64_t first = ((h >> 32) * (table->segments << table->segment_bits)) >> 32;
    Slot slot;
    slot.place[0] = (uint32_t)first;
    slot.place[1] = (uint32_t)((first + step) ^ ((h >> 18) & mask));
    slot.place[2] = (uint32_t)((first + step + step) ^ (h & mask));
    slot.fingerprint = (uint32_t)((h >> 7) ^ (h >> 41)) << VALUE_BITS;
    return slot;
}

static inline void prefetch(const Table *table, const Slot *slot) {
    PREFETCH(table->words + slot->place[0]);
    PREFETCH(table->words + slot->place[1]);
    PREFETCH(table->words + slot->place[2]);
}

static inline uint32_t entry_of(const Table *table, const Slot *slot) {
    return table->words[slot->place[0]] ^ table->words[slot->place[1]] ^
           table->words[slot->place[2]] ^ slot->fingerprint;
}

static inline int is_value(uint32_t entry) { return entry < ((uint32_t)1 << VALUE_BITS); }

/* --- ngrams.py ---------------------------------------------------------------------------- */

enum { ORDER = 5, BACKOFF_BITS = 8, BACKOFF_MASK = 255, LOSS_MASK = 1023 };

typedef struct {
    Table table;
    uint64_t size;           /* of the alphabet */
    const uint64_t *salts;   /* by order, 0 to ORDER */
    const float *log_prob;   /* of each id, out of context */
    const float *back_off;   /* of each id, as a context */
    const float *loss_of;    /* of 1,024 steps */
    const float *backoff_of; /* of 256 steps */
} Ngrams;

static inline float own(const Ngrams *model, uint32_t entry) {
    return model->loss_of[(entry >> BACKOFF_BITS) & LOSS_MASK];
}

/* What is known of the n-grams of one order that end at each position of a block; [0] is the
   position before it. */
typedef struct {
    uint8_t known[BLOCK + 1];
    float backoff[BLOCK + 1];
    uint64_t key[BLOCK + 1];
} Known;

static void score_block(const Ngrams *model, const uint16_t *ids, int64_t n, int64_t in_row,
                        int64_t width, int previous, Known *orders, float *scores) {
    Slot slot[BLOCK];
    int16_t at[BLOCK];
    uint8_t opens[BLOCK];
    Known *pairs = &orders[2];
    int64_t i, waiting;

    for (i = 0; i < n; i++) {
        uint64_t key = 0;
        opens[i] = in_row == 0;
        if (++in_row == width) in_row = 0;
        if (!opens[i]) key = (uint64_t)(i ? ids[i - 1] : previous) * model->size + ids[i];
        pairs->key[i + 1] = key;
        slot[i] = slot_of(&model->table, key ^ model->salts[2]);
        prefetch(&model->table, &slot[i]);
    }
    for (i = 0; i < n; i++) {
        uint32_t entry = entry_of(&model->table, &slot[i]);
        int found = !opens[i] && is_value(entry);
        pairs->known[i + 1] = (uint8_t)found;
        pairs->backoff[i + 1] = model->backoff_of[entry & BACKOFF_MASK];
        if (found)
            scores[i] = own(model, entry);
        else if (opens[i])
            scores[i] = model->log_prob[ids[i]];
        else
            scores[i] = model->log_prob[ids[i]] + model->back_off[i ? ids[i - 1] : previous];
    }
    for (int order = 3; order <= ORDER; order++) {
        Known *shorter = &orders[order - 1], *longer = &orders[order];
        waiting = 0;
        for (i = 0; i < n; i++) {
            longer->known[i + 1] = 0;
            if (opens[i] || !shorter->known[i]) continue;
            scores[i] += shorter->backoff[i];
            if (!shorter->known[i + 1]) continue;
            longer->key[i + 1] = shorter->key[i] * model->size + ids[i];
            slot[waiting] = slot_of(&model->table, longer->key[i + 1] ^ model->salts[order]);
            prefetch(&model->table, &slot[waiting]);
            at[waiting++] = (int16_t)i;
        }
        for (int64_t w = 0; w < waiting; w++) {
            uint32_t entry = entry_of(&model->table, &slot[w]);
            if (!is_value(entry)) continue;
            i = at[w];
            scores[i] = own(model, entry);
            longer->known[i + 1] = 1;
            longer->backoff[i + 1] = model->backoff_of[entry & BACKOFF_MASK];
        }
    }
}

/* Log probability of each of n ids, in rows of ``width``, given those before it in its row. */
EXPORT void log_probs(const Ngrams *model, const uint16_t *ids, int64_t n, int64_t width,
                      float *scores) {
    Known orders[ORDER + 1];
    int previous = 0;
    int order;
    for (order = 2; order <= ORDER; order++) orders[order].known[0] = 0;
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t size = n - start < BLOCK ? n - start : BLOCK;
        score_block(model, ids + start, size, start % width, width, previous, orders,
                    scores + start);
        previous = ids[start + size - 1];
        for (order = 2; order <= ORDER; order++) {
            orders[order].known[0] = orders[order].known[size];
            orders[order].backoff[0] = orders[order].backoff[size];
            orders[order].key[0] = orders[order].key[size];
        }
    }
}

static inline float pair_log_prob(const Ngrams *model, const Slot *slot, int first, int second) {
    uint32_t entry = entry_of(&model->table, slot);
    return is_value(entry) ? own(model, entry) : model->log_prob[second] + model->back_off[first];
}

static inline Slot pair_slot(const Ngrams *model, int first, int second) {
    return slot_of(&model->table,
                   ((uint64_t)first * model->size + (uint64_t)second) ^ model->salts[2]);
}

/* --- channel.py --------------------------------------------------------------------------- */

enum { MAX_LENGTH = 6, BITMAP_BITS = 20 };

typedef struct {
    Table words;
    const uint8_t *lengths_of; /* by slot of two characters: a bit for each length of a term */
    int64_t n_terms;
    const int64_t *length;     /* of each term, like the next three */
    const uint16_t *ids;       /* (n_terms, MAX_LENGTH) */
    const uint16_t *last;
    const float *frequency;
    const int64_t *pair_start; /* n_terms + 1 */
    const int64_t *original;   /* of each pair, like the next two */
    const float *log_prior;
    const uint8_t *is_listed;
} Channel;

static inline uint64_t rolled(uint64_t key, uint16_t id) {
    return (key + id + 1) * 0x9FB21C651E98DF25u;
}

/* Occurrences of terms that start at one of n places (NULL: anywhere), MAX_LENGTH each at most;
   returns how many. */
EXPORT int64_t matches(const Channel *channel, const uint16_t *ids, int64_t n_ids,
                       const int64_t *places, int64_t n, int64_t *start, int64_t *term) {
    Slot slot[BLOCK * MAX_LENGTH];
    int64_t at[BLOCK * MAX_LENGTH];
    uint8_t of_length[BLOCK * MAX_LENGTH];
    uint32_t first_two[BLOCK];
    int64_t found = 0;
    for (int64_t block = 0; block < n; block += BLOCK) {
        int64_t size = n - block < BLOCK ? n - block : BLOCK, waiting = 0;
        for (int64_t i = 0; i < size; i++) {
            int64_t place = places ? places[block + i] : block + i;
            uint64_t key = rolled(0, ids[place]);
            if (place + 1 < n_ids) key = rolled(key, ids[place + 1]);
            first_two[i] = (uint32_t)(key >> (64 - BITMAP_BITS));
            PREFETCH(channel->lengths_of + first_two[i]);
        }
        for (int64_t i = 0; i < size; i++) {
            int64_t place = places ? places[block + i] : block + i;
            unsigned lengths = channel->lengths_of[first_two[i]] | 2u;
            uint64_t key = 0;
            for (int n_chars = 1; n_chars <= MAX_LENGTH && place + n_chars <= n_ids; n_chars++) {
                key = rolled(key, ids[place + n_chars - 1]);
                if (!(lengths >> n_chars & 1)) continue;
                slot[waiting] = slot_of(&channel->words, key ^ (uint64_t)n_chars);
                prefetch(&channel->words, &slot[waiting]);
                at[waiting] = place;
                of_length[waiting++] = (uint8_t)n_chars;
            }
        }
        for (int64_t w = 0; w < waiting; w++) {
            uint32_t number = entry_of(&channel->words, &slot[w]);
            if (!is_value(number) || number >= channel->n_terms) continue;
            if (channel->length[number] != of_length[w]) continue;
            if (memcmp(channel->ids + number * MAX_LENGTH, ids + at[w],
                       of_length[w] * sizeof(uint16_t)))
                continue;
            start[found] = at[w];
            term[found++] = number;
        }
    }
    return found;
}

/* --- sites.py ----------------------------------------------------------------------------- */

enum { CONTEXT = ORDER - 1, MOST_TRIED = 6 };

static const float FAR_BEHIND = 10.0f;

/* The table entries of the two pairs of characters at the edges of a term in its place. */
typedef struct {
    Slot left, right;
} Edges;

static inline Edges edges_of(const Ngrams *model, const Channel *channel, int before, int64_t term,
                             int behind) {
    Edges edges;
    edges.left = pair_slot(model, before, channel->ids[term * MAX_LENGTH]);
    edges.right = pair_slot(model, channel->last[term], behind);
    prefetch(&model->table, &edges.left);
    prefetch(&model->table, &edges.right);
    return edges;
}

static inline float joint(const Ngrams *model, const Channel *channel, const Edges *edges,
                          int before, int64_t term, int behind) {
    int first = channel->ids[term * MAX_LENGTH];
    float left = pair_log_prob(model, &edges->left, before, first) - model->log_prob[first];
    float right = pair_log_prob(model, &edges->right, channel->last[term], behind);
    return left + right + channel->frequency[term];
}

/* Of the ``n`` guesses at one site: those among the MOST_TRIED best, earlier ones first where two
   are as good, that are not far behind. Returns how many; their order stays. */
static int64_t best_of(const float *guess, const int64_t *number, int64_t n, float best,
                       int64_t own_number, int64_t *site, int64_t *pair) {
    int64_t top[MOST_TRIED], found = 0;
    for (int64_t i = 0; i < n; i++) { /* an insertion sort that forgets what falls off its end */
        int64_t at = found;
        if (!(guess[i] >= best - FAR_BEHIND)) continue;
        while (at > 0 && best - guess[i] < best - guess[top[at - 1]]) at--;
        if (at == MOST_TRIED) continue;
        if (found < MOST_TRIED) found++;
        memmove(top + at + 1, top + at, (size_t)(found - 1 - at) * sizeof *top);
        top[at] = i;
    }
    for (int64_t i = 1; i < found; i++) { /* back into the order of the pairs */
        int64_t moved = top[i], at = i;
        for (; at > 0 && top[at - 1] > moved; at--) top[at] = top[at - 1];
        top[at] = moved;
    }
    for (int64_t i = 0; i < found; i++) {
        site[i] = own_number;
        pair[i] = number[top[i]];
    }
    return found;
}

/* For each of n sites: whether it is hopeful; and of all hopeful ones the promising candidates, in
   order: the site's number among the hopeful ones, and the pair. Returns how many; no site has more
   than MOST_TRIED. Or -1: a surface has more than MOST_PAIRS originals, thirty times what any has.

   Several sites are done at once, so that the table's entries are asked for well ahead. */
EXPORT int64_t promising(const Ngrams *model, const Channel *channel, const uint16_t *ids,
                         const int64_t *start, const int64_t *end, const int64_t *term, int64_t n,
                         const uint8_t *suspected, float hopeless, uint8_t *hopeful, int64_t *site,
                         int64_t *pair) {
    enum { SITES = 32, ENOUGH = 96 };
    Edges own[SITES], edges[ENOUGH + MOST_PAIRS];
    int64_t number[ENOUGH + MOST_PAIRS], until[SITES];
    float guess[ENOUGH + MOST_PAIRS];
    int64_t found = 0, hopes = 0, s = 0;
    while (s < n) {
        int64_t from = s, pairs = 0, done = 0;
        for (; s < n && s - from < SITES && pairs < ENOUGH; s++) {
            int before = ids[start[s] - 1], behind = ids[end[s]];
            int64_t p = channel->pair_start[term[s]], last = channel->pair_start[term[s] + 1];
            if (last - p > MOST_PAIRS) return -1;
            own[s - from] = edges_of(model, channel, before, term[s], behind);
            for (; p < last; p++) {
                if (suspected && !suspected[s] && !channel->is_listed[p]) continue;
                edges[pairs] = edges_of(model, channel, before, channel->original[p], behind);
                number[pairs++] = p;
            }
            until[s - from] = pairs;
        }
        for (int64_t at = from; at < s; at++) {
            int before = ids[start[at] - 1], behind = ids[end[at]];
            float stands = joint(model, channel, &own[at - from], before, term[at], behind);
            float best = -INFINITY;
            int64_t first = done;
            for (; done < until[at - from]; done++) {
                int64_t p = number[done];
                guess[done] = joint(model, channel, &edges[done], before, channel->original[p],
                                    behind) -
                              stands + channel->log_prior[p];
                if (guess[done] > best) best = guess[done];
            }
            hopeful[at] = best >= hopeless;
            if (!hopeful[at]) continue;
            found += best_of(guess + first, number + first, done - first, best, hopes++,
                             site + found, pair + found);
        }
    }
    return found;
}

/* Of n originals of ``length`` characters, each in the place of a site: log probability of its own
   characters, and of the CONTEXT characters behind it. ``rows`` holds BLOCK rows of scores' ids. */
EXPORT void windows(const Ngrams *model, const uint16_t *ids, const int64_t *start,
                    const int64_t *end, const uint16_t *originals, int64_t n, int64_t length,
                    float *inside, float *behind) {
    enum { ROWS = 64, WIDTH = MAX_LENGTH + 2 * CONTEXT };
    uint16_t rows[ROWS * WIDTH];
    float scores[ROWS * WIDTH];
    int64_t width = length + 2 * CONTEXT;
    for (int64_t block = 0; block < n; block += ROWS) {
        int64_t size = n - block < ROWS ? n - block : ROWS;
        for (int64_t r = 0; r < size; r++) {
            uint16_t *row = rows + r * width;
            int64_t from = start[block + r];
            for (int64_t i = 0; i < CONTEXT; i++) {
                int64_t place = from - CONTEXT + i;
                row[i] = ids[place < 0 ? 0 : place];
            }
            memcpy(row + CONTEXT, originals + (block + r) * MAX_LENGTH,
                   (size_t)length * sizeof(uint16_t));
            memcpy(row + CONTEXT + length, ids + end[block + r], CONTEXT * sizeof(uint16_t));
        }
        log_probs(model, rows, size * width, width, scores);
        for (int64_t r = 0; r < size; r++) {
            const float *score = scores + r * width + CONTEXT;
            float within = 0, after = 0;
            for (int64_t i = 0; i < length; i++) within += score[i];
            for (int64_t i = 0; i < CONTEXT; i++) after += score[length + i];
            inside[block + r] = within;
            behind[block + r] = after;
        }
    }
}

/* --- trees.py ----------------------------------------------------------------------------- */

/* Sum of the leaves of every tree for each of n rows of ``columns`` features. */
EXPORT FOR_EACH_PROCESSOR void log_odds(const int16_t *feature, const float *threshold,
                                        const float *value, int64_t n_trees, int64_t depth,
                                        const float *rows, int64_t n, int64_t columns,
                                        float *score) {
    enum { ROWS = 128, MOST_COLUMNS = 128 };
    float column[MOST_COLUMNS][ROWS];
    int32_t leaf[ROWS];
    memset(column, 0, sizeof column); /* of the last block only a part is filled */
    for (int64_t block = 0; block < n; block += ROWS) {
        int64_t size = n - block < ROWS ? n - block : ROWS;
        for (int64_t r = 0; r < size; r++)
            for (int64_t c = 0; c < columns; c++)
                column[c][r] = rows[(block + r) * columns + c];
        for (int64_t r = 0; r < size; r++) score[block + r] = 0;
        for (int64_t tree = 0; tree < n_trees; tree++) {
            const float *of_leaf = value + (tree << depth);
            for (int64_t r = 0; r < ROWS; r++) leaf[r] = 0;
            for (int64_t level = 0; level < depth; level++) {
                const float *asked = column[feature[tree * depth + level]];
                float limit = threshold[tree * depth + level];
                for (int64_t r = 0; r < ROWS; r++) leaf[r] = 2 * leaf[r] + (asked[r] > limit);
            }
            for (int64_t r = 0; r < size; r++) score[block + r] += of_leaf[leaf[r]];
        }
    }
}

/* --- tagger.py ---------------------------------------------------------------------------- */

enum {
    WIDTH = 64,
    HIDDEN = 64,
    PAIR_WIDTH = 32,
    PAIR_BITS = 17,
    MOST_SIGNED = 63,
    MOST_HIDDEN = 127,
    MOST_LAST = 2047,
    N_HEADS = 3,
    GAP = 16,
    AHEAD = 12,    /* characters whose pairs are asked for before their turn: .54 for .64 us each */
    FOUR = 4,      /* products of bytes that one instruction adds up */
    AT_ONCE = 4    /* rows: with six the compiler runs out of registers, .72 for .50 us a character */
};

typedef struct {
    int64_t dilation;
    const float *per_x;
    const int8_t *wide; /* (3 * WIDTH / FOUR, HIDDEN, FOUR) */
    const int32_t *wide_start; /* what the moving up by MOST_SIGNED has added, taken away */
    const float *wide_size, *bias, *per_hidden;
    const int8_t *narrow; /* (HIDDEN / FOUR, WIDTH, FOUR) */
    const float *narrow_size, *shift;
} Layer;

typedef struct {
    const int8_t *chars;
    const float *chars_size;
    const int8_t *before;
    const float *before_size;
    const int8_t *behind;
    const float *behind_size;
    const int8_t *surprise;
    const float *surprise_size;
    int64_t n_layers;
    const Layer *layers;
    const float *per_last;
    const int16_t *head; /* (N_HEADS, WIDTH) */
    const float *head_size, *head_offset;
} Tagger;

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* To the nearest whole number, halves to even, and no further than the limits: what is added leaves
   no place for a fraction. Of what is beyond 2**22 it leaves less, but there are the limits; 2**31
   is far beyond what a trained network comes to. */
static inline int32_t whole(float value, int32_t low, int32_t high) {
    int32_t steps = (int32_t)((value + 12582912.0f) - 12582912.0f);
    steps = steps < low ? low : steps;
    return steps > high ? high : steps;
}

static inline uint32_t pair_of(uint32_t first, uint32_t second) {
    return ((first * 7919u + second) * 0x9E3779B1u) >> (32 - PAIR_BITS);
}

/* What does not depend on how wide the vectors are, for every set of instructions anew: the
   compiler makes the best of each. */
#define TAGGING(NAME, FEATURES)                                                                    \
    __attribute__((target(FEATURES))) static void embed_##NAME(                                    \
        const Tagger *tagger, const uint16_t *ids, const uint8_t *surprise, int64_t n, float *x) { \
        for (int64_t i = 0; i < n; i++) {                                                          \
            uint32_t id = ids[i], left = i ? ids[i - 1] : 0, right = i + 1 < n ? ids[i + 1] : 0;   \
            if (i + AHEAD + 1 < n) {                                                               \
                uint64_t coming = pair_of(ids[i + AHEAD], ids[i + AHEAD + 1]);                     \
                __builtin_prefetch(tagger->before + coming * PAIR_WIDTH);                          \
                __builtin_prefetch(tagger->before_size + coming);                                  \
                __builtin_prefetch(tagger->behind + coming * PAIR_WIDTH);                          \
                __builtin_prefetch(tagger->behind_size + coming);                                  \
            }                                                                                      \
            uint32_t before = pair_of(left, id), behind = pair_of(id, right);                      \
            const int8_t *own = tagger->chars + id * WIDTH;                                  \
            const int8_t *one = tagger->before + (uint64_t)before * PAIR_WIDTH;              \
            const int8_t *two = tagger->behind + (uint64_t)behind * PAIR_WIDTH;              \
            const int8_t *here = tagger->surprise + (uint64_t)surprise[i] * WIDTH;                 \
            float size = tagger->chars_size[id], size_here = tagger->surprise_size[surprise[i]];   \
            float size_one = tagger->before_size[before], size_two = tagger->behind_size[behind];  \
            float *row = x + i * WIDTH;                                                            \
            for (int j = 0; j < PAIR_WIDTH; j++)                                                   \
                row[j] = (float)own[j] * size + (float)here[j] * size_here +                       \
                         (float)one[j] * size_one;                                                 \
            for (int j = 0; j < PAIR_WIDTH; j++)                                                   \
                row[PAIR_WIDTH + j] =                                                              \
                    (float)own[PAIR_WIDTH + j] * size +                                            \
                    (float)here[PAIR_WIDTH + j] * size_here + (float)two[j] * size_two;            \
        }                                                                                          \
    }                                                                                              \
    __attribute__((target(FEATURES))) static void read_##NAME(                                     \
        const float *restrict x, int64_t n, const float *restrict per, uint8_t *restrict steps) {                           \
        for (int64_t i = 0; i < n; i++)                                                            \
            for (int j = 0; j < WIDTH; j++)                                                        \
                steps[i * WIDTH + j] =                                                             \
                    (uint8_t)(whole(x[i * WIDTH + j] * per[j], -MOST_SIGNED, MOST_SIGNED) +        \
                              MOST_SIGNED);                                                        \
    }                                                                                              \
    __attribute__((target(FEATURES))) static void hide_##NAME(                                     \
        const int32_t *restrict sums, const Layer *layer, uint8_t *restrict hidden) {              \
        const float *restrict size = layer->wide_size, *restrict bias = layer->bias;               \
        const float *restrict per = layer->per_hidden;                                             \
        for (int r = 0; r < AT_ONCE; r++)                                                          \
            for (int j = 0; j < HIDDEN; j++) {                                                     \
                float value = (float)sums[r * HIDDEN + j] * size[j] + bias[j];  \
                hidden[r * HIDDEN + j] = (uint8_t)whole(value * per[j], 0, MOST_HIDDEN);           \
            }                                                                                      \
    }                                                                                              \
    __attribute__((target(FEATURES))) static void add_##NAME(                                      \
        const int32_t *restrict sums, const Layer *layer, int64_t rows, float *restrict x) {       \
        const float *restrict size = layer->narrow_size, *restrict shift = layer->shift;           \
        for (int64_t r = 0; r < rows; r++)                                                         \
            for (int j = 0; j < WIDTH; j++)                                                        \
                x[r * WIDTH + j] +=                                                                \
                    (float)sums[r * WIDTH + j] * size[j] + shift[j];          \
    }                                                                                              \
    __attribute__((target(FEATURES))) static void say_##NAME(                                      \
        const Tagger *tagger, const float *x, int64_t n, float *scores) {                          \
        int16_t last[WIDTH];                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                          \
            for (int j = 0; j < WIDTH; j++)                                                        \
                last[j] = (int16_t)whole(x[i * WIDTH + j] * tagger->per_last[j], -MOST_LAST,       \
                                         MOST_LAST);                                               \
            for (int h = 0; h < N_HEADS; h++) {                                                    \
                int32_t sum = 0;                                                                   \
                for (int j = 0; j < WIDTH; j++) sum += last[j] * tagger->head[h * WIDTH + j];      \
                scores[i * N_HEADS + h] =                                                          \
                    (float)sum * tagger->head_size[h] + tagger->head_offset[h];                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    __attribute__((target(FEATURES))) static void tag_##NAME(                                      \
        const Tagger *tagger, const uint16_t *ids, const uint8_t *surprise, int64_t n, float *x,   \
        uint8_t *steps, float *scores) {                                                           \
        int32_t sums[AT_ONCE * HIDDEN], none[WIDTH] = {0};                                         \
        uint8_t hidden[AT_ONCE * HIDDEN];                                                          \
        uint8_t *inner = steps + GAP * WIDTH;                                                      \
        memset(steps, MOST_SIGNED, (size_t)(n + 2 * GAP + AT_ONCE) * WIDTH);                       \
        embed_##NAME(tagger, ids, surprise, n, x);                                                 \
        for (const Layer *layer = tagger->layers; layer < tagger->layers + tagger->n_layers;       \
             layer++) {                                                                            \
            read_##NAME(x, n, layer->per_x, inner);                                                \
            for (int64_t i = 0; i < n; i += AT_ONCE) {                                             \
                int64_t rows = n - i < AT_ONCE ? n - i : AT_ONCE;                                  \
                multiply_##NAME(inner + (i - layer->dilation) * WIDTH, layer->dilation * WIDTH, 3, \
                                layer->wide, layer->wide_start, sums);                             \
                hide_##NAME(sums, layer, hidden);                                                  \
                multiply_##NAME(hidden, 0, 1, layer->narrow, none, sums);                          \
                add_##NAME(sums, layer, rows, x + i * WIDTH);                                      \
            }                                                                                      \
        }                                                                                          \
        say_##NAME(tagger, x, n, scores);                                                          \
    }

/* Of AT_ONCE rows of bytes that follow one another, each read in ``pieces`` of 64 columns which are
   ``apart`` bytes from one another: the products with 64 columns of weights, added to ``start``.
   The sums of ROWS rows and four vectors of columns stay in registers; what is no array does. */
#define MULTIPLY(NAME, FEATURES, VECTOR, LANES, ROWS, EACH_ROW)                                    \
    __attribute__((target(FEATURES))) static void multiply_##NAME(                                 \
        const uint8_t *rows, int64_t apart, int pieces, const int8_t *weights,                     \
        const int32_t *start, int32_t *sums) {                                                     \
        for (int first = 0; first < AT_ONCE; first += ROWS)                                        \
            for (int column = 0; column < HIDDEN; column += 4 * LANES) {                           \
                const int8_t *weight = weights + column * FOUR;                                    \
                const int32_t *from = start + column;                                              \
                EACH_ROW(BEGIN, NAME, VECTOR, LANES)                                               \
                for (int step = 0; step < pieces * (WIDTH / FOUR); step++) {                       \
                    const uint8_t *read = rows + step / (WIDTH / FOUR) * apart + first * WIDTH +   \
                                          step % (WIDTH / FOUR) * FOUR;                            \
                    VECTOR wa = load_##NAME(weight), wb = load_##NAME(weight + FOUR * LANES);      \
                    VECTOR wc = load_##NAME(weight + 2 * FOUR * LANES);                            \
                    VECTOR wd = load_##NAME(weight + 3 * FOUR * LANES);                            \
                    weight += FOUR * HIDDEN;                                                       \
                    EACH_ROW(GO_ON, NAME, VECTOR, LANES)                                           \
                }                                                                                  \
                int32_t *to = sums + first * HIDDEN + column;                                      \
                EACH_ROW(END, NAME, VECTOR, LANES)                                                 \
            }                                                                                      \
    }
#define BEGIN(R, NAME, VECTOR, LANES)                                                              \
    VECTOR a##R = load_##NAME(from), b##R = load_##NAME(from + LANES);                             \
    VECTOR c##R = load_##NAME(from + 2 * LANES), d##R = load_##NAME(from + 3 * LANES);
#define GO_ON(R, NAME, VECTOR, LANES)                                                              \
    {                                                                                              \
        VECTOR four = four_##NAME(read + R * WIDTH);                                               \
        a##R = added_##NAME(a##R, four, wa), b##R = added_##NAME(b##R, four, wb);                  \
        c##R = added_##NAME(c##R, four, wc), d##R = added_##NAME(d##R, four, wd);                  \
    }
#define END(R, NAME, VECTOR, LANES)                                                                \
    store_##NAME(to + R * HIDDEN, a##R), store_##NAME(to + R * HIDDEN + LANES, b##R);              \
    store_##NAME(to + R * HIDDEN + 2 * LANES, c##R);                                               \
    store_##NAME(to + R * HIDDEN + 3 * LANES, d##R);
#define TWO_ROWS(DO, ...) DO(0, __VA_ARGS__) DO(1, __VA_ARGS__)
#define FOUR_ROWS(DO, ...)                                                                         \
    TWO_ROWS(DO, __VA_ARGS__)                                                                      \
    DO(2, __VA_ARGS__) DO(3, __VA_ARGS__)

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni"))) static inline
VNNI __m512i load_vnni(const void *from) { return _mm512_loadu_si512(from); }
VNNI void store_vnni(void *to, __m512i v) { _mm512_storeu_si512(to, v); }
VNNI __m512i four_vnni(const uint8_t *from) {
    int32_t four;
    memcpy(&four, from, sizeof four);
    return _mm512_set1_epi32(four);
}
VNNI __m512i added_vnni(__m512i sum, __m512i four, __m512i weight) {
    return _mm512_dpbusd_epi32(sum, four, weight);
}

#define AVX2 __attribute__((target("avx2"))) static inline
AVX2 __m256i load_avx2(const void *from) { return _mm256_loadu_si256((const __m256i *)from); }
AVX2 void store_avx2(void *to, __m256i v) { _mm256_storeu_si256((__m256i *)to, v); }
AVX2 __m256i four_avx2(const uint8_t *from) {
    int32_t four;
    memcpy(&four, from, sizeof four);
    return _mm256_set1_epi32(four);
}
AVX2 __m256i added_avx2(__m256i sum, __m256i four, __m256i weight) {
    __m256i twos = _mm256_maddubs_epi16(four, weight);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(twos, _mm256_set1_epi16(1)));
}

MULTIPLY(vnni, "avx512f,avx512bw,avx512vnni", __m512i, 16, 4, FOUR_ROWS)
MULTIPLY(avx2, "avx2", __m256i, 8, 2, TWO_ROWS)
TAGGING(vnni, "avx512f,avx512bw,avx512vnni")
TAGGING(avx2, "avx2")

typedef void (*Tag)(const Tagger *, const uint16_t *, const uint8_t *, int64_t, float *, uint8_t *,
                    float *);

static Tag tag_here(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw"))
        return tag_vnni;
    return __builtin_cpu_supports("avx2") ? tag_avx2 : NULL;
}

EXPORT int32_t tags_here(int32_t narrow) {
    return (narrow ? __builtin_cpu_supports("avx2") != 0 : tag_here() != NULL);
}

/* Scores of n ids. ``x`` has room for n rows of WIDTH, ``steps`` for n + 2 * GAP + AT_ONCE.
   ``narrow`` asks for the narrower vectors, for the tests. */
EXPORT void tag(const Tagger *tagger, const uint16_t *ids, const uint8_t *surprise, int64_t n,
                float *x, uint8_t *steps, float *scores, int32_t narrow) {
    (narrow ? tag_avx2 : tag_here())(tagger, ids, surprise, n, x, steps, scores);
}
#else
EXPORT int32_t tags_here(int32_t narrow) {
    (void)narrow;
    return 0;
}

EXPORT void tag(const Tagger *tagger, const uint16_t *ids, const uint8_t *surprise, int64_t n,
                float *x, uint8_t *steps, float *scores, int32_t narrow) {
    (void)tagger, (void)ids, (void)surprise, (void)n, (void)x, (void)steps, (void)scores;
    (void)narrow;
}
#endif
