#!/usr/bin/env bash
# The whole way on AWS without an account: servers that stand in for Kinesis, Firehose, S3 and Redshift, the invoices
# put into a stream, the pipeline run by Parquet and by Firehose, and the numbers from SQL in the warehouse.
#
#   tests/aws/demo.sh [FILE]     FILE: other invoices than the sample beside the manifest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

whole=../shared/data/retail/online_retail_2010-12_2011-10.csv.gz
if [[ $# -gt 0 ]]; then
    file=$1
elif [[ -e $whole ]]; then
    file=$whole
else
    file=pipelines/online-retail/sample/online_retail.csv.gz
fi

cargo build --release -p sluice -p sluice-stand-ins --bins
target=${CARGO_TARGET_DIR:-target}
export SLUICE=$PWD/$target/release/sluice FILE=$file
[[ $target = /* ]] && SLUICE=$target/release/sluice

exec "$target/release/sluice-stand-ins" run --firehose-interval 2 -- bash -euo pipefail -c '
pipeline=pipelines/online-retail
echo "== put $FILE"
"$SLUICE" put "$pipeline" "$FILE" --env aws
for env in aws aws-firehose; do
    schema=retail
    [[ $env = aws-firehose ]] && schema=retail_firehose
    echo "== run --env $env"
    "$SLUICE" run "$pipeline" --env "$env" --until-caught-up
    echo "== the warehouse, schema $schema"
    "$SLUICE" query "$pipeline" --env "$env" "
        select (select count(*) from $schema.invoices) as silver,
               (select count(*) from $schema.quarantine) as quarantined,
               (select count(*) from $schema.revenue_per_day) as days,
               (select sum(revenue) from $schema.revenue_per_day) as revenue"
done
'
