//! What of a warehouse would surprise a run: rights, isolation, and others that load into the same tables.

use super::catalog;
use super::evolve::changes;
use super::loader::RedshiftLoader;
use super::rows::Rows;
use super::sql::text;
use super::work::Failure;
use sluice_ports::Table;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// A run goes on; somebody should look.
    Warning,
    /// A run would fail or go wrong.
    Bad,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub way_out: Option<String>,
}

impl Finding {
    fn good(subject: &str, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), level: Level::Good, found: found.into(), way_out: None }
    }

    fn warning(subject: &str, found: impl Into<String>, way_out: &str) -> Self {
        Self { subject: subject.into(), level: Level::Warning, found: found.into(), way_out: Some(way_out.into()) }
    }

    fn bad(subject: &str, found: impl Into<String>, way_out: &str) -> Self {
        Self { subject: subject.into(), level: Level::Bad, found: found.into(), way_out: Some(way_out.into()) }
    }
}

impl RedshiftLoader {
    /// Looks at everything that a run into these tables relies on. That something cannot be looked at is a finding, not an
    /// error.
    pub async fn check(&self, tables: &[Table]) -> Vec<Finding> {
        let mut findings = vec![self.reach().await];
        if findings[0].level == Level::Bad {
            return findings;
        }
        findings.push(self.isolation().await);
        for table in tables {
            findings.push(self.shape(table).await);
        }
        findings.push(self.competitors("COPY jobs", COPY_JOBS, tables).await);
        findings.push(self.competitors("zero-ETL integrations", INTEGRATIONS, tables).await);
        findings.push(self.competitors("other COPY loads", LOADS, tables).await);
        findings
    }

    async fn look(&self, sql: &str) -> Result<Rows, Failure> {
        self.api.run("sluice-check", sql).await
    }

    async fn reach(&self) -> Finding {
        let subject = "Data API";
        match self.look("SELECT CURRENT_USER").await {
            Ok(rows) => {
                let user = rows.at(0, 0).text().unwrap_or_default();
                Finding::good(subject, format!("{} answers, user `{user}`", self.api.target()))
            }
            Err(error) => {
                let error = error.into_port(&self.api.target().to_string());
                Finding::bad(
                    subject,
                    error.message,
                    "see that the cluster or workgroup runs and that the role may use it",
                )
            }
        }
    }

    async fn isolation(&self) -> Finding {
        let subject = "isolation level";
        let database = text(self.api.target().database());
        let sql = format!("SELECT TRIM(isolation_level) FROM stv_db_isolation_level WHERE TRIM(db_name) = {database}");
        match self.look(&sql).await {
            Ok(rows) => match rows.at(0, 0).text() {
                Some(level) if level.to_ascii_lowercase().starts_with("seriali") => {
                    Finding::good(subject, format!("{level}: loads that meet others are begun anew (error 1023)"))
                }
                Some(level) => {
                    Finding::good(subject, format!("{level}: loads are kept apart by the lock on the ledger"))
                }
                None => Finding::warning(subject, "the database does not tell", "nothing: loads hold at any level"),
            },
            Err(error) => not_seen(subject, error),
        }
    }

    async fn shape(&self, table: &Table) -> Finding {
        let def = match self.config.definition(table) {
            Ok(def) => def,
            Err(error) => return Finding::bad(&table.name, error.message, "change the manifest"),
        };
        let subject = format!("table `{}.{}`", def.schema, def.name);
        let existing = match catalog::columns(&self.api, &def.schema, &def.name).await {
            Ok(existing) => existing,
            Err(error) => return not_seen(&subject, error),
        };
        if existing.is_empty() {
            return Finding::warning(&subject, "not there", "it is made by the first load, or by `sluice ddl`");
        }
        match changes(&def, &existing) {
            Ok(changes) if changes.is_empty() => Finding::good(&subject, format!("{} columns fit", existing.len())),
            Ok(changes) => {
                let what: Vec<String> = changes.into_iter().map(|change| change.sql).collect();
                Finding::warning(&subject, format!("to be changed: {}", what.join("; ")), "the next load changes it")
            }
            Err(error) => Finding::bad(&subject, error.message, "see the message"),
        }
    }

    /// Others that write into the tables: what they bring has no `_sluice_id` that a load could know it by.
    async fn competitors(&self, subject: &str, view: View, tables: &[Table]) -> Finding {
        let rows = match self.look(view.sql).await {
            Ok(rows) => rows,
            Err(error) => return not_seen(subject, error),
        };
        let names: Vec<String> =
            tables.iter().filter_map(|table| Some(self.config.definition(table).ok()?.name)).collect();
        let says = |row: usize| rows.at(row, 1).text().unwrap_or_default().to_ascii_lowercase();
        let hits: Vec<String> = (0..rows.rows.len())
            .filter(|row| names.iter().any(|name| mentions(&says(*row), name)))
            .filter_map(|row| rows.at(row, 0).text())
            .collect();
        if hits.is_empty() {
            return Finding::good(subject, "none into these tables");
        }
        Finding::bad(subject, format!("into these tables: {}", hits.join(", ")), view.way_out)
    }
}

/// Where competitors show: the first column names them, the second names their tables.
#[derive(Clone, Copy)]
struct View {
    sql: &'static str,
    way_out: &'static str,
}

const COPY_JOBS: View = View {
    sql: "SELECT TRIM(job_name), TRIM(job_text) FROM sys_copy_job",
    way_out: "drop the COPY job (COPY JOB DROP name), or load into a table of another name",
};
const INTEGRATIONS: View = View {
    sql: "SELECT TRIM(integration_id), TRIM(table_name) FROM svv_integration_table_state",
    way_out: "leave the table out of the integration, or load into a table of another name",
};
/// Loads of ours copy into a stage; a COPY into the table itself is somebody else's, such as Firehose's to Redshift.
const LOADS: View = View {
    sql: "SELECT DISTINCT TRIM(data_source), TRIM(table_name) FROM sys_load_history",
    way_out: "stop the loads that copy into the table (a Firehose stream with Redshift as destination, a script), or load \
              into a table of another name",
};

/// Whether a text names a table: as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    let word = |at: char| at.is_ascii_alphanumeric() || at == '_' || at == '$';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_none_or(|at| !word(at));
        let after = text[at + name.len()..].chars().next().is_none_or(|at| !word(at));
        before && after
    })
}

fn not_seen(subject: &str, error: Failure) -> Finding {
    let error = error.into_port("could not be looked at");
    Finding::warning(subject, error.message, "let the database user read the system views, or look by hand")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_as_whole_words() {
        assert!(mentions("copy retail.invoices from 's3://x'", "invoices"));
        assert!(mentions("\"invoices\"", "invoices"));
        assert!(!mentions("copy retail.invoices_old from", "invoices"));
        assert!(!mentions("copy my_invoices from", "invoices"));
    }
}
