CREATE SCHEMA IF NOT EXISTS "retail";

CREATE TABLE IF NOT EXISTS "retail"."invoices" (
    "invoice_no"         VARCHAR(4096) ENCODE ZSTD,
    "stock_code"         VARCHAR(4096) ENCODE ZSTD,
    "description"        VARCHAR(4096) ENCODE ZSTD,
    "quantity"           BIGINT        ENCODE AZ64,
    "invoice_date"       TIMESTAMP     ENCODE RAW,
    "unit_price"         DECIMAL(12,3) ENCODE AZ64,
    "customer_id"        VARCHAR(4096) ENCODE ZSTD,
    "country"            VARCHAR(4096) ENCODE ZSTD,
    "_sluice_id"         VARCHAR(2048) ENCODE ZSTD NOT NULL,
    "_sluice_arrived_at" TIMESTAMP     ENCODE AZ64 NOT NULL,
    "_sluice_commit"     BIGINT        ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("invoice_date");
COMMENT ON TABLE "retail"."invoices" IS 'online-retail: Invoice lines of a British online shop, December 2010 to December 2011.';

CREATE TABLE IF NOT EXISTS "retail"."quarantine" (
    "reason"             VARCHAR(4096)    ENCODE ZSTD NOT NULL,
    "rule"               VARCHAR(4096)    ENCODE ZSTD NOT NULL,
    "version"            VARCHAR(4096)    ENCODE ZSTD NOT NULL,
    "rule_digest"        VARCHAR(4096)    ENCODE ZSTD,
    "field"              VARCHAR(4096)    ENCODE ZSTD,
    "reasons"            VARCHAR(65535)   ENCODE ZSTD NOT NULL,
    "source"             VARCHAR(2048)    ENCODE ZSTD NOT NULL,
    "shard"              VARCHAR(2048)    ENCODE ZSTD NOT NULL,
    "position"           VARCHAR(2048)    ENCODE ZSTD NOT NULL,
    "raw_policy"         VARCHAR(4096)    ENCODE ZSTD NOT NULL,
    "raw"                VARCHAR(65535)   ENCODE ZSTD,
    "raw_bytes"          VARBYTE(1024000),
    "raw_length"         BIGINT           ENCODE AZ64 NOT NULL,
    "raw_sha256"         VARCHAR(4096)    ENCODE ZSTD,
    "_sluice_id"         VARCHAR(2048)    ENCODE ZSTD NOT NULL,
    "_sluice_arrived_at" TIMESTAMP        ENCODE RAW  NOT NULL,
    "_sluice_commit"     BIGINT           ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("_sluice_arrived_at");
COMMENT ON TABLE "retail"."quarantine" IS 'online-retail: rejected records with their reasons';

CREATE TABLE IF NOT EXISTS "retail"."revenue_per_day" (
    "country"        VARCHAR(4096) ENCODE RAW,
    "window_start"   TIMESTAMP     ENCODE AZ64 NOT NULL,
    "window_end"     TIMESTAMP     ENCODE AZ64 NOT NULL,
    "lines"          BIGINT        ENCODE AZ64 NOT NULL,
    "units"          BIGINT        ENCODE AZ64,
    "revenue"        DECIMAL(38,3) ENCODE AZ64,
    "_sluice_commit" BIGINT        ENCODE AZ64 NOT NULL,
    "_sluice_fence"  BIGINT        ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("country");
COMMENT ON TABLE "retail"."revenue_per_day" IS 'online-retail: revenue_per_day, one row for each group and window';

CREATE TABLE IF NOT EXISTS "retail"."sluice_loads" (
    "load_id"    VARCHAR(64)   ENCODE ZSTD NOT NULL,
    "attempt"    VARCHAR(64)   ENCODE ZSTD NOT NULL,
    "dataset"    VARCHAR(128)  ENCODE ZSTD NOT NULL,
    "table_name" VARCHAR(128)  ENCODE ZSTD NOT NULL,
    "object_key" VARCHAR(1024) ENCODE RAW  NOT NULL,
    "etag"       VARCHAR(256)  ENCODE ZSTD NOT NULL,
    "rows"       BIGINT        ENCODE AZ64,
    "status"     VARCHAR(16)   ENCODE ZSTD NOT NULL,
    "detail"     VARCHAR(4096) ENCODE ZSTD,
    "loaded_at"  TIMESTAMP     ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("object_key");
COMMENT ON TABLE "retail"."sluice_loads" IS 'Objects that Sluice loaded into tables of this schema, or set aside';
COMMENT ON COLUMN "retail"."sluice_loads"."load_id" IS 'Digest of dataset, table and objects';
COMMENT ON COLUMN "retail"."sluice_loads"."attempt" IS 'Which attempt at the load this was';
COMMENT ON COLUMN "retail"."sluice_loads"."dataset" IS 'Dataset that the objects belong to';
COMMENT ON COLUMN "retail"."sluice_loads"."table_name" IS 'Table that the rows went to';
COMMENT ON COLUMN "retail"."sluice_loads"."object_key" IS 'Key of the object within its bucket';
COMMENT ON COLUMN "retail"."sluice_loads"."etag" IS 'ETag; empty where the key alone names the bytes';
COMMENT ON COLUMN "retail"."sluice_loads"."rows" IS 'Rows staged by the load that the object was part of';
COMMENT ON COLUMN "retail"."sluice_loads"."status" IS 'loaded or set_aside';
COMMENT ON COLUMN "retail"."sluice_loads"."detail" IS 'Why it was set aside';
COMMENT ON COLUMN "retail"."sluice_loads"."loaded_at" IS 'When, UTC';
