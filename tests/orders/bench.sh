#!/usr/bin/env bash
# Measures the pipeline `orders`: a million generated records, everything on, one pinned core, release build.
#
#   tests/orders/bench.sh
#
# Prints records and bytes a second, the peak of memory, where the time goes, and the rules alone: in the sandbox and
# natively. What the run made is held against expected.py first. Settings, by environment:
#   ROWS=1000000  SEED=1   the input, see generate.py; it is kept for the next time
#   ROUNDS=5               runs that are timed; the median counts
#   CORE=1                 the processor core that all of it runs on (0 on a machine of one)
#   YARDSTICK=PROGRAM      run in turns with Sluice as `PROGRAM INPUT OUTDIR`; the ratio of the medians is printed
# Needs python3 and Linux.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rows=${ROWS:-1000000} seed=${SEED:-1}
target=${CARGO_TARGET_DIR:-target}
work=$target/bench-orders
input=$work/orders-$rows-$seed.ndjson
expected=$work/orders-$rows-$seed.expected.json
last_core=$(($(nproc --all) - 1))

cargo build --release
mkdir -p "$work"
# a newer generator or oracle makes its files anew; each arrives whole
if [[ ! -f $input || tests/orders/generate.py -nt $input ]]; then
    echo "generating $rows records" >&2
    python3 tests/orders/generate.py --rows "$rows" --seed "$seed" "$input.part"
    mv "$input.part" "$input"
fi
if [[ ! -f $expected || $input -nt $expected || tests/orders/expected.py -nt $expected ]]; then
    echo "working out what is to be expected" >&2
    python3 tests/orders/expected.py "$input" "$expected.part"
    mv "$expected.part" "$expected"
fi

exec python3 tests/orders/bench.py \
    --sluice "$target/release/sluice" --input "$input" --expected "$expected" --work "$work" \
    --rounds "${ROUNDS:-5}" --core "${CORE:-$((last_core < 1 ? last_core : 1))}" ${YARDSTICK:+--yardstick "$YARDSTICK"}
