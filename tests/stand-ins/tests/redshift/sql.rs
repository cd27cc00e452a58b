//! Redshift's SQL, and what is not.

use crate::world::World;
use aws_sdk_redshiftdata::types::StatusString;

#[tokio::test]
async fn tables_are_made_as_redshift_makes_them() {
    let world = World::start().await;
    world
        .all_done(&[
            "CREATE SCHEMA IF NOT EXISTS shop",
            "CREATE TABLE shop.orders (id BIGINT NOT NULL ENCODE az64, note VARCHAR(3) ENCODE zstd, doc SUPER, at TIMESTAMPTZ, \
             amount DECIMAL(18,2) DEFAULT 0, n BIGINT IDENTITY(1,1), PRIMARY KEY (id)) DISTSTYLE KEY DISTKEY (id) SORTKEY (at)",
            "COMMENT ON TABLE shop.orders IS 'what was ordered'",
            "COMMENT ON COLUMN shop.orders.id IS 'its number'",
            "INSERT INTO shop.orders (id, note, doc) SELECT 1, 'äb', JSON_PARSE('{\"a\": 1}')",
            "INSERT INTO shop.orders (id) VALUES (1)",
        ])
        .await;
    assert_eq!(world.rows("SELECT count(*) FROM shop.orders WHERE id = 1").await, [["2"]], "keys are not enforced");
    let long = world.refused("INSERT INTO shop.orders (id, note) VALUES (2, 'äöü')").await;
    assert_eq!(long, "ERROR: value too long for type character varying(3)", "bytes are counted");
    let columns = "SELECT column_name, data_type, character_maximum_length, remarks FROM svv_columns WHERE table_schema = 'shop' \
                   AND table_name = 'orders' ORDER BY ordinal_position";
    let columns = world.rows(columns).await;
    assert_eq!(columns[0], ["id", "bigint", "null", "its number"]);
    assert_eq!(columns[1], ["note", "character varying", "3", "null"]);
    assert_eq!(columns[2][1], "super");
    let other = "CREATE TEMP TABLE other AS SELECT 1 AS a";
    let call = world.client.execute_statement().workgroup_name("wg").database("dev").sql(other);
    call.session_keep_alive_seconds(60).wait_time_seconds(30).send().await.expect("another session's own table");
    let tables = world.rows("SELECT \"schema\", \"table\", tbl_rows FROM svv_table_info").await;
    assert_eq!(tables, [["shop", "orders", "2"]]);
}

#[tokio::test]
async fn columns_are_added_singly_and_widened_alone() {
    let world = World::start().await;
    world.all_done(&["CREATE TABLE t (a varchar(3))", "ALTER TABLE t ADD COLUMN b BIGINT ENCODE az64"]).await;
    world.refused("ALTER TABLE t ADD COLUMN c int, ADD COLUMN d int").await;
    world.refused("ALTER TABLE t ALTER COLUMN b TYPE decimal(20,0)").await;
    world.refused("INSERT INTO t (a) VALUES ('äöü')").await;
    world.done("ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(6)").await;
    world.done("INSERT INTO t (a) VALUES ('äöü')").await;
    world.refused("INSERT INTO t (a) VALUES ('äöüx')").await;
    world.refused("ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(5)").await;
    let batch = world.batch(&["ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(9)"]).await;
    assert_eq!(batch.status, Some(StatusString::Failed));
}

#[tokio::test]
async fn postgresql_is_not_spoken() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int, b varchar(100))").await;
    for sql in [
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a) VALUES (1) RETURNING a",
        "SELECT DISTINCT ON (a) a FROM t",
        "SELECT count(*) FILTER (WHERE a > 1) FROM t",
        "SELECT b::jsonb FROM t",
        "SELECT b->>'x' FROM t",
        "SELECT * FROM generate_series(1, 3)",
        "INSERT INTO t (a) SELECT * FROM generate_series(1, 3)",
        "CREATE INDEX i ON t (a)",
        "CREATE TABLE u (a serial)",
        "CREATE TABLE u (a int[])",
        "CREATE TABLE u (a varchar(65536))",
        "MERGE INTO t USING t AS s ON t.a = s.a WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)",
        "SELECT a FROM t WHERE a IS DISTINCT FROM 1",
        "WITH x AS (DELETE FROM t) SELECT 1",
        "SELECT array_agg(a) FROM t",
        "UPDATE t SET (a, b) = (1, 'x')",
        "SELECT 1; SELECT 2",
        "DO $$ BEGIN END $$",
        "SELECT tag FROM t",
    ] {
        world.refused(sql).await;
    }
}

#[tokio::test]
async fn shims_answer_as_redshift_does() {
    let world = World::start().await;
    let sql = "SELECT NVL(NULL, 'x'), LEN('äb'), DATEADD(day, 1, '2026-01-31'::timestamp)::date, DATEDIFF(month, '2026-01-31', \
               '2026-03-01'), GETDATE() > '2020-01-01', SYSDATE > '2020-01-01', JSON_EXTRACT_PATH_TEXT('{\"a\":{\"b\":\"c\"}}', \
               'a', 'b'), 'it\\'s', SHA2('x', 256), is_valid_json('{'), json_serialize(json_parse('[1]'))";
    let row = world.rows(sql).await.remove(0);
    assert_eq!(row[..8], ["x", "2", "2026-02-01", "2", "true", "true", "c", "it's"]);
    assert_eq!(&row[9..], ["false", "[1]"]);
    world.all_done(&["CREATE TABLE t (a varchar(9))", "INSERT INTO t VALUES ('b'), ('a')"]).await;
    let list = "SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY a) FROM t";
    assert_eq!(world.rows(list).await, [["a,b"]]);
}

#[tokio::test]
async fn merging_and_replacing_work() {
    let world = World::start().await;
    world
        .all_done(&[
            "CREATE TABLE t (a int, b varchar(9))",
            "INSERT INTO t VALUES (1, 'old'), (2, 'old')",
            "CREATE TABLE s (a int, b varchar(9))",
            "INSERT INTO s VALUES (2, 'new'), (3, 'new')",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b)",
        ])
        .await;
    assert_eq!(world.rows("SELECT a, b FROM t ORDER BY a").await, [["1", "old"], ["2", "new"], ["3", "new"]]);
    let batch = world
        .batch(&["LOCK TABLE t", "DELETE FROM t USING s WHERE t.a = s.a", "INSERT INTO t SELECT a, b FROM s"])
        .await;
    assert_eq!((batch.status, batch.error), (Some(StatusString::Finished), None));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["3"]]);
}

#[tokio::test]
async fn views_of_the_catalogue_are_there() {
    let world = World::start().await;
    for view in ["sys_copy_job", "svv_integration", "svv_copy_job_integrations", "sys_load_history", "stl_load_errors"]
    {
        assert_eq!(world.rows(&format!("SELECT count(*) FROM {view}")).await, [["0"]], "{view}");
    }
    let level = world.rows("SELECT isolation_level FROM STV_DB_ISOLATION_LEVEL WHERE db_name = 'dev'").await;
    assert_eq!(level, [["Snapshot Isolation"]]);
    world
        .server
        .sql("INSERT INTO sys_copy_job (job_name, table_name) VALUES ('other', 't')")
        .await
        .expect("a test may");
    assert_eq!(world.rows("SELECT job_name FROM pg_catalog.sys_copy_job").await, [["other"]]);
}
