#!/bin/sh
# SPDX-License-Identifier: MIT
# Plumbline in CI, for any system that can run a shell script: judges, holds
# this checkout against a base, writes report and summary, and fails for the
# right reason.
#
#   PLUMBLINE_BASE   the revision to be not slower than (empty: no gate)
#   PLUMBLINE_IMPLS  what is judged (default: what is found)
#   PLUMBLINE_OUT    the folder of artefacts (default: ci-out)
#   PLUMBLINE_STRICT yes: status 4 where the gate cannot tell
#   PLUMBLINE        the launcher (default: ./plumbline)
#
# Exit status: 1 a case is not as expected, 2 nothing was proved, 3 slower than
# the base or a counter grew, 4 see above, 5 no valid measurement. The report
# and the summary are written in any case. The judge comes first: what is wrong
# need not be fast.
set -u

plumbline=${PLUMBLINE-./plumbline}
out=${PLUMBLINE_OUT-ci-out}
base=${PLUMBLINE_BASE-}
mkdir -p "$out" || exit 2
summary=$out/summary.md
: >"$summary"

# Adds a part to the summary; a part that cannot be made is named.
add() {
  # shellcheck disable=SC2016  # Markdown's backquotes
  "$@" >>"$summary" 2>>"$out/log.txt" || printf '\n`%s` failed.\n' "$*" \
    >>"$summary"
}

# shellcheck disable=SC2086  # a list of implementations
"$plumbline" run ${PLUMBLINE_IMPLS-} --no-report
judged=$?
add "$plumbline" export markdown
"$plumbline" export junit --output "$out/junit.xml" 2>>"$out/log.txt"

gated=0
if [ -n "$base" ]; then
  set -- gate "$base" --markdown "$out/gate.md"
  [ "${PLUMBLINE_STRICT-}" != yes ] || set -- "$@" --strict
  "$plumbline" "$@"
  gated=$?
  printf '\n' >>"$summary"
  if [ -s "$out/gate.md" ]; then
    cat "$out/gate.md" >>"$summary"
  else
    printf 'The gate ended with status %s before it measured.\n' "$gated" \
      >>"$summary"
  fi
else
  printf '\nNo base is given, so nothing was held against it.\n' >>"$summary"
fi

"$plumbline" report --out "$out/report" ||
  printf '\nThe report could not be written.\n' >>"$summary"

[ -z "${GITHUB_STEP_SUMMARY-}" ] || cat "$summary" >>"$GITHUB_STEP_SUMMARY"
case $judged in
  0) ;;
  *) echo "plumbline: the cases ended with status $judged" >&2
     exit "$judged" ;;
esac
[ "$gated" = 0 ] || echo "plumbline: the gate ended with status $gated" >&2
exit "$gated"
