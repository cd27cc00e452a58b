CREATE SCHEMA IF NOT EXISTS "retail";

CREATE TABLE IF NOT EXISTS "retail"."silver" (
    "name"               VARCHAR(4096)    ENCODE ZSTD,
    "quantity"           BIGINT           ENCODE AZ64,
    "price"              DECIMAL(12,4)    ENCODE AZ64,
    "weight"             DOUBLE PRECISION ENCODE ZSTD,
    "gift"               BOOLEAN          ENCODE ZSTD,
    "invoiced_at"        TIMESTAMP        ENCODE AZ64,
    "due"                DATE             ENCODE AZ64,
    "picture"            VARBYTE(64000),
    "extra"              SUPER,
    "_sluice_id"         VARCHAR(4096)    ENCODE ZSTD NOT NULL,
    "_sluice_arrived_at" TIMESTAMP        ENCODE RAW  NOT NULL,
    "_sluice_commit"     BIGINT           ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("_sluice_arrived_at");
COMMENT ON TABLE "retail"."silver" IS 'Invoices, one row for each line';
COMMENT ON COLUMN "retail"."silver"."name" IS 'What the customer''s called';

CREATE TABLE IF NOT EXISTS "retail"."per_country" (
    "window_start"   TIMESTAMP     ENCODE RAW  NOT NULL,
    "window_end"     TIMESTAMP     ENCODE AZ64 NOT NULL,
    "country"        VARCHAR(4096) ENCODE ZSTD,
    "revenue"        DECIMAL(38,4) ENCODE AZ64,
    "_sluice_commit" BIGINT        ENCODE AZ64 NOT NULL,
    "_sluice_fence"  BIGINT        ENCODE AZ64 NOT NULL
)
DISTSTYLE AUTO
COMPOUND SORTKEY ("window_start");

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
