/* limits.h - every bound on what comes from outside, in one place. Nothing is allocated before the size met
 * its limit. */
#ifndef WEIR_BASE_LIMITS_H
#define WEIR_BASE_LIMITS_H

enum {
    LIMIT_APP_BYTES = 4 * 1024 * 1024,     /* text of one app */
    LIMIT_MESSAGE_BYTES = 8 * 1024 * 1024, /* one message of a port */
    /* no message may be longer than its app's share of memory divided by this: rows outgrow their text */
    LIMIT_MESSAGE_GROWTH = 8,
    LIMIT_ATTRIBUTES = 4096, /* attributes of one stream */
    LIMIT_TABLE_KEY = 64,    /* attributes of a table's primary key */
    LIMIT_PARSE_DEPTH = 200, /* nesting of expressions, annotations, JSON */
    LIMIT_DIAGNOSTICS = 50,  /* errors shown for one app */
    /* memory of unwritten changes of an app's stored tables: then a checkpoint is due */
    LIMIT_TABLES_WAITING = 16 * 1024 * 1024,
    LIMIT_SEND_DEPTH = 200,                /* streams that feed each other in one push */
    LIMIT_TURN_MESSAGES = 256,             /* messages of one turn */
    LIMIT_SCRIPT_STEPS = 10 * 1000 * 1000, /* of one call of a script function: turns of loops, calls */
    LIMIT_SCRIPT_BYTES = 8 * 1024 * 1024,  /* heap of one script function */
    /* partial matches of one running pattern, by the elements they wait for */
    LIMIT_PATTERN_WAITS = 1000 * 1000,
    /* partial matches of one running pattern that stay linked behind one */
    LIMIT_PATTERN_LINKS = 1000,
    LIMIT_TOP_PLACES = 1000,           /* k of extrema:topK and its like */
    LIMIT_PATTERN_CHAIN = 1000 * 1000, /* events of one counted element of one partial match */
};

#endif
