/* case_fold.h - the case of a Unicode character. */
#ifndef WEIR_EXPR_CASE_FOLD_H
#define WEIR_EXPR_CASE_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t case_upper(uint32_t code); /* the one character, or itself */
uint32_t case_lower(uint32_t code);
bool case_is_letter_with_case(uint32_t code);
const char *case_upper_special(uint32_t code); /* when its upper case is several: their UTF-8, else NULL */

#endif
