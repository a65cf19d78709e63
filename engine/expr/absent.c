/* absent.c - see absent.h. */
#include "engine/expr/absent.h"
#include <string.h>

static const struct {
    const char *space, *name; /* name NULL: all of it */
    const char *why;          /* NULL: the extension is not available */
    const char *instead;      /* or NULL */
} absent[] = {
    {"rdbms", NULL, "there is no database client here",
     "keep rows in a table on this device: @store(type='lmdb') before 'define table'"},
    {"env", "getYAMLProperty", "there is no deployment.yaml of a server here",
     "${NAME} in the app, or env:getSystemProperty('NAME'), tell variables"},
    {"env", "getOriginIPFromXForwarded", NULL, NULL},
    {"env", "getUserAgentProperty", NULL, NULL},
    {"env", "resourceIdentifier", NULL, NULL},
    {"env", "resourceBatch", NULL, NULL},
    {"geo", "geocode", "it asks a service of the network", NULL},
    {"geo", "reversegeocode", "it asks a service of the network", NULL},
    {"geo", "geocoordinate", "it asks a service of the network", NULL},
    {"geo", "findCityFromIP", "it asks a service of the network", NULL},
    {"geo", "findCountryFromIP", "it asks a service of the network", NULL},
    {"file", "archive", "archives are neither made nor opened here", NULL},
    {"file", "unarchive", "archives are neither made nor opened here", NULL},
    {"file", "searchInArchive", "archives are neither made nor opened here", NULL},
    {"extrema", "minMax", NULL,
     "windows 'extrema:maxByLength' and 'extrema:minByLength' keep the greatest and the least"},
    {"extrema", "kalmanMinMax", NULL, "kf:kalmanFilter(v) smooths what an extrema window then looks at"},
    {"extrema", "kernelMinMax", NULL, NULL},
    {"reorder", "akslack", NULL, "#reorder:kslack orders by the largest delay seen"},
    {"map", "createFromXML", NULL, "a source's @map(type='xml') reads XML into attributes"},
    {"timeseries", NULL, NULL, NULL},
    {"approximate", NULL, NULL, "distinctCount(...) in a window counts exactly"},
    {"priority", NULL, NULL, NULL},
    {"markov", NULL, NULL, NULL},
    {"streamingml", NULL, NULL, NULL},
    {"tensorflow", NULL, NULL, NULL},
    {"pmml", NULL, NULL, NULL},
    {"nlp", NULL, NULL, NULL},
    {"sentiment", NULL, NULL, NULL},
    {"graph", NULL, NULL, NULL},
};

bool absent_report(struct diags *d, const struct ast_expr *call)
{
    const char *space = call->space.text, *name = call->name.text;
    for (size_t i = 0; space && i < sizeof(absent) / sizeof(*absent); i++) {
        if (strcmp(space, absent[i].space) != 0 || (absent[i].name && strcmp(name, absent[i].name) != 0))
            continue;
        if (absent[i].why)
            diag_error(d, call->op_span, "%s:%s is not available: %s", space, name, absent[i].why);
        else
            diag_error(d, call->op_span, "%s:%s: the extension is not available", space, name);
        if (absent[i].instead)
            diag_hint(d, "%s", absent[i].instead);
        return true;
    }
    return false;
}
