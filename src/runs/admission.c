#include "runs/admission.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "base/poison.h"

enum { PROJECT_ID_MAX = 64, BUCKETS = 256 };

/* Exists while something of it waits or runs. */
struct admission_project {
    char id[PROJECT_ID_MAX];
    struct admission_share share; /* as last given */
    uint32_t running;
    uint32_t queued;
    struct admission_entry *first, *last;
    struct admission_project *turn_prev, *turn_next; /* ring of those with something waiting */
    struct admission_project *bucket_next;
};

struct admission {
    struct admission_limits limits;
    uint32_t running;
    uint32_t queued;
    int64_t mean_ns;                /* of recent runs, exponentially weighted */
    struct admission_project *turn; /* whose turn it is; NULL when nothing waits */
    struct admission_entry *oldest, *newest;
    struct admission_project *buckets[BUCKETS];
};

struct admission *admission_new(const struct admission_limits *limits)
{
    struct admission *admission = calloc(1, sizeof(*admission));

    if (!admission)
        return NULL;
    admission->limits = *limits;
    admission->mean_ns = 100 * DC_NS_PER_MS;
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (admission->buckets[i]) {
            struct admission_project *project = admission->buckets[i];

            admission->buckets[i] = project->bucket_next;
            free(project);
        }
    }
    free(admission);
}

void admission_set_limits(struct admission *admission, const struct admission_limits *limits)
{
    admission->limits = *limits;
}

static struct admission_project **find_slot(struct admission *admission, const char *id)
{
    size_t hash = 5381;
    struct admission_project **slot;

    for (const char *at = id; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    slot = &admission->buckets[hash % BUCKETS];
    while (*slot && strcmp((*slot)->id, id) != 0)
        slot = &(*slot)->bucket_next;
    return slot;
}

static struct admission_project *find_or_make(struct admission *admission, const char *id)
{
    struct admission_project **slot = find_slot(admission, id);
    size_t length = strlen(id);

    assert(length < PROJECT_ID_MAX);
    if (*slot)
        return *slot;
    *slot = calloc(1, sizeof(**slot));
    if (*slot)
        memcpy((*slot)->id, id, length + 1);
    return *slot;
}

static void forget_idle(struct admission *admission, struct admission_project *project)
{
    if (project->running || project->queued)
        return;
    *find_slot(admission, project->id) = project->bucket_next;
    free(project);
}

/* Joins the ring just before the one whose turn it is: last in line. */
static void join_ring(struct admission *admission, struct admission_project *project)
{
    struct admission_project *turn = admission->turn;

    if (!turn) {
        admission->turn = project->turn_prev = project->turn_next = project;
        return;
    }
    project->turn_next = turn;
    project->turn_prev = turn->turn_prev;
    turn->turn_prev->turn_next = project;
    turn->turn_prev = project;
}

static void leave_ring(struct admission *admission, struct admission_project *project)
{
    if (project->turn_next == project) {
        admission->turn = NULL;
    } else {
        if (admission->turn == project)
            admission->turn = project->turn_next;
        project->turn_prev->turn_next = project->turn_next;
        project->turn_next->turn_prev = project->turn_prev;
    }
    project->turn_prev = project->turn_next = NULL;
}

static void queue_entry(struct admission *admission, struct admission_entry *entry)
{
    struct admission_project *project = entry->project;

    entry->prev = project->last;
    entry->next = NULL;
    *(project->last ? &project->last->next : &project->first) = entry;
    project->last = entry;
    entry->older = admission->newest;
    entry->newer = NULL;
    *(admission->newest ? &admission->newest->newer : &admission->oldest) = entry;
    admission->newest = entry;
    if (project->queued++ == 0)
        join_ring(admission, project);
    admission->queued++;
    entry->state = ADMISSION_QUEUED;
}

static void unqueue_entry(struct admission *admission, struct admission_entry *entry)
{
    struct admission_project *project = entry->project;

    *(entry->prev ? &entry->prev->next : &project->first) = entry->next;
    *(entry->next ? &entry->next->prev : &project->last) = entry->prev;
    *(entry->older ? &entry->older->newer : &admission->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &admission->newest) = entry->older;
    entry->prev = entry->next = entry->older = entry->newer = NULL;
    if (--project->queued == 0)
        leave_ring(admission, project);
    admission->queued--;
    entry->state = ADMISSION_OUT;
}

/* Whether a further entry of this project would start at once. Others that wait at such a moment
 * are at their own caps. */
static bool free_now(const struct admission *admission, const struct admission_project *project)
{
    return project->queued == 0 && admission->running < admission->limits.running_max &&
           project->running < project->share.running_max;
}

enum admission_verdict admission_submit(struct admission *admission, struct admission_entry *entry,
                                        const char *project_id, const struct admission_share *share,
                                        int64_t now_ns, int64_t wait_ns)
{
    struct admission_project *project = find_or_make(admission, project_id);
    enum admission_verdict verdict = ADMISSION_OK;

    if (!project)
        return ADMISSION_NO_MEMORY;
    project->share = *share;
    if (!free_now(admission, project)) {
        if (project->queued >= share->queued_max)
            verdict = ADMISSION_OWN_LIMIT;
        else if (admission->queued >= admission->limits.queued_max)
            verdict = ADMISSION_FULL;
    }
    if (verdict != ADMISSION_OK) {
        forget_idle(admission, project);
        return verdict;
    }
    *entry = (struct admission_entry){
        .project = project, .queued_ns = now_ns, .deadline_ns = now_ns + wait_ns};
    queue_entry(admission, entry);
    return ADMISSION_OK;
}

struct admission_entry *admission_next(struct admission *admission)
{
    struct admission_project *project = admission->turn;
    struct admission_entry *entry;

    if (!project || admission->running >= admission->limits.running_max)
        return NULL;
    while (project->running >= project->share.running_max) {
        project = project->turn_next;
        if (project == admission->turn)
            return NULL; /* all that wait are at their own caps */
    }
    entry = project->first;
    admission->turn = project->turn_next;
    unqueue_entry(admission, entry);
    project->running++;
    admission->running++;
    entry->state = ADMISSION_RUNNING;
    return entry;
}

void admission_done(struct admission *admission, struct admission_entry *entry, int64_t ran_ns)
{
    struct admission_project *project = entry->project;

    assert(entry->state == ADMISSION_RUNNING);
    project->running--;
    admission->running--;
    entry->state = ADMISSION_OUT;
    entry->project = NULL;
    if (ran_ns >= 0)
        admission->mean_ns += (ran_ns - admission->mean_ns) / 16;
    forget_idle(admission, project);
}

bool admission_remove(struct admission *admission, struct admission_entry *entry)
{
    struct admission_project *project = entry->project;

    if (entry->state != ADMISSION_QUEUED)
        return false;
    unqueue_entry(admission, entry);
    entry->project = NULL;
    forget_idle(admission, project);
    return true;
}

struct admission_entry *admission_expired(struct admission *admission, int64_t now_ns)
{
    for (struct admission_entry *entry = admission->oldest; entry; entry = entry->newer) {
        if (entry->deadline_ns <= now_ns) {
            (void)admission_remove(admission, entry);
            return entry;
        }
    }
    return NULL;
}

int64_t admission_next_deadline(const struct admission *admission)
{
    int64_t next = INT64_MAX;

    for (const struct admission_entry *entry = admission->oldest; entry; entry = entry->newer)
        if (entry->deadline_ns < next)
            next = entry->deadline_ns;
    return next;
}

uint32_t admission_retry_after_s(const struct admission *admission)
{
    int64_t places = admission->limits.running_max ? admission->limits.running_max : 1;
    int64_t ahead = (int64_t)admission->queued + 1;
    int64_t seconds = (admission->mean_ns * ahead / places + DC_NS_PER_S - 1) / DC_NS_PER_S;

    return seconds < 1 ? 1 : seconds > 60 ? 60 : (uint32_t)seconds;
}

uint32_t admission_running(const struct admission *admission)
{
    return admission->running;
}

uint32_t admission_queued(const struct admission *admission)
{
    return admission->queued;
}
