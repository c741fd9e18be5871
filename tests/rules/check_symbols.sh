#!/bin/sh
# Decisions are pure: fails when libev_rules.a needs anything from outside itself but what is listed here.
# Usage: check_symbols.sh NM LIBRARY
set -eu

nm=$1
library=$2
allowed='memcpy memset memcmp strlen strcmp strncmp
abort fprintf __fprintf_chk stderr
__stack_chk_fail _GLOBAL_OFFSET_TABLE_ __memcpy_chk __memset_chk'

defined=$("$nm" --defined-only "$library" | awk 'NF == 3 && $2 ~ /[TDRBVW]/ { print $3 }' | sort -u)
undefined=$("$nm" --undefined-only "$library" | awk '$1 == "U" { print $2 }' | sort -u)
if [ -z "$defined" ] || [ -z "$undefined" ]; then
    echo "no symbols found in $library" >&2
    exit 1
fi

bad=0
for symbol in $undefined; do
    case $symbol in
    __asan_* | __ubsan_* | __tsan_* | __sanitizer_* | __sancov_* | __gcov_* | __llvm_*) continue ;;
    esac
    printf '%s\n' "$defined" | grep -qxF "$symbol" && continue
    printf '%s\n' $allowed | grep -qxF "$symbol" && continue
    echo "libev_rules.a must not use: $symbol" >&2
    bad=1
done
[ "$bad" -eq 0 ] && echo "libev_rules.a uses only what is allowed"
exit "$bad"
