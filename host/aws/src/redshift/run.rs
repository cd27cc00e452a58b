//! A load of many objects: in which groups, and which of them are bad.

use super::attempt::{StageColumn, load_id};
use super::blame::{Blame, blame, kind};
use super::config::RedshiftConfig;
use super::detail::{Detail, Details};
use super::ledger::{self, LoadName};
use super::load::{Loaded, Loads, Outcome};
use super::loader::RedshiftLoader;
use super::sql::SqlType;
use super::stage::{is_gzip, stage_columns};
use super::work::{Failed, Failure};
use sluice_ports::{Kind, Object, ObjectFormat, PortError, Result, SetAside, TableReport};
use std::collections::VecDeque;

/// So many objects are set aside in one load, at most: more are no accident of some objects, and each costs a COPY.
const MOST_SET_ASIDE: usize = 100;

/// Objects that can be copied together: of one schema, compressed or not, within the bounds.
pub(super) fn groups(mut objects: Vec<Object>, format: ObjectFormat, config: &RedshiftConfig) -> VecDeque<Vec<Object>> {
    let kind = |object: &Object| (object.columns.clone(), format == ObjectFormat::Json && is_gzip(&object.key));
    objects.sort_by(|a, b| kind(a).cmp(&kind(b)).then_with(|| a.cmp(b)));
    objects.dedup();
    let mut groups: VecDeque<Vec<Object>> = VecDeque::new();
    let mut bytes = 0;
    for object in objects {
        bytes += object.size;
        match groups.back_mut() {
            Some(group)
                if group.len() < config.most_objects
                    && bytes <= config.most_bytes
                    && kind(&group[0]) == kind(&object) =>
            {
                group.push(object);
            }
            _ => {
                bytes = object.size;
                groups.push_back(vec![object]);
            }
        }
    }
    groups
}

/// A load that goes on: what is still to be loaded, and what came of the rest.
pub(super) struct Run<'a> {
    pub loader: &'a RedshiftLoader,
    pub loads: &'a Loads<'a>,
    pub format: ObjectFormat,
    pub types: Vec<(String, SqlType)>,
    pub queue: VecDeque<Vec<Object>>,
    /// Objects refused in words that blame nobody; they are the cause only if others load.
    pub suspects: Vec<(Object, Detail)>,
    /// Objects set aside by this load.
    pub bad: usize,
    pub report: TableReport,
}

impl Run<'_> {
    pub(super) async fn all(mut self) -> Result<TableReport> {
        while let Some(group) = self.queue.pop_front() {
            let columns = self.columns(&group[0])?;
            match self.loads.load(self.format, &columns, &group).await? {
                Outcome::Loaded(loaded) => self.count(&loaded, group.len() as u64),
                Outcome::Refused(failed) => self.refused(group, &failed).await?,
                // one alone waits for its segment
                Outcome::Undecided if group.len() > 1 => self.part(group, None),
                Outcome::Undecided => {}
            }
        }
        for (object, detail) in std::mem::take(&mut self.suspects) {
            if self.report.objects == 0 {
                return Err(self.refusal(&detail.text));
            }
            self.set_aside(&object, &detail).await?;
        }
        Ok(self.report)
    }

    fn columns(&self, object: &Object) -> Result<Vec<StageColumn>> {
        let own: Vec<String>;
        let names = match &object.columns {
            Some(names) => names,
            None => {
                own = self.loads.def.columns.iter().map(|column| column.name.clone()).collect();
                &own
            }
        };
        let ty = |name: &str| self.types.iter().find(|(known, _)| known == name).map(|(_, ty)| *ty);
        stage_columns(self.format, names, ty, self.loads.table)
    }

    fn count(&mut self, loaded: &Loaded, objects: u64) {
        self.report.objects += loaded.objects;
        self.report.already += objects.saturating_sub(loaded.objects);
        self.report.staged += loaded.staged;
        self.report.rows += loaded.rows;
    }

    /// A group was refused: it is halved, or parted from the object that the database names, until the object is alone
    /// that is the cause.
    async fn refused(&mut self, group: Vec<Object>, failed: &Failed) -> Result<()> {
        let blame = blame(&failed.text);
        if blame == Blame::Surroundings {
            return Err(self.refusal(&failed.text));
        }
        let details = Details::new(&self.loader.api, &self.loader.config.bucket);
        let detail = details.of(failed, &group, self.format).await;
        match <[Object; 1]>::try_from(group) {
            Ok([object]) if blame == Blame::Unknown => self.suspects.push((object, detail)),
            Ok([object]) => self.set_aside(&object, &detail).await?,
            Err(group) => self.part(group, detail.object),
        }
        Ok(())
    }

    /// The parts go in front, so that what is known to be bad is soon out of the way.
    fn part(&mut self, mut group: Vec<Object>, named: Option<usize>) {
        let rest = match named {
            Some(at) => {
                let bad = group.remove(at);
                std::mem::replace(&mut group, vec![bad])
            }
            None => group.split_off(group.len() / 2),
        };
        self.queue.push_front(rest);
        self.queue.push_front(group);
    }

    async fn set_aside(&mut self, object: &Object, detail: &Detail) -> Result<()> {
        self.bad += 1;
        if self.bad > MOST_SET_ASIDE {
            return Err(self.too_many(&detail.text));
        }
        let load_id = load_id(self.loads.dataset, self.loads.table, std::slice::from_ref(object));
        let load = LoadName { load_id: &load_id, attempt: "0", table: self.loads.table };
        let statements = self.loader.ledger.set_aside(&load, object, &detail.text);
        let what = format!("table `{}`: setting `{}` aside", self.loads.table, object.key);
        let mut tries = 0;
        loop {
            match self.loader.api.finish("sluice-set-aside", &statements).await {
                Ok(_) => break,
                Err(Failure::Conflict(_)) if tries < self.loads.most_attempts => {
                    tries += 1;
                    tokio::time::sleep(self.loader.api.backoff(tries)).await;
                }
                Err(error) => return Err(error.into_port(&what)),
            }
        }
        tracing::error!(table = self.loads.table, object = object.key, "set aside: {}", detail.text);
        self.report.set_aside.push(SetAside { key: object.key.clone(), reason: detail.text.clone() });
        Ok(())
    }

    fn too_many(&self, text: &str) -> PortError {
        let message = format!(
            "table `{}`: more than {MOST_SET_ASIDE} objects were refused in one load, the last: {text}; see whether table and \
             objects still fit each other, delete the rows of `{}.{}` with status `set_aside`, and load again",
            self.loads.table,
            self.loader.config.schema,
            ledger::LEDGER
        );
        PortError::new(Kind::Fatal, message)
    }

    fn refusal(&self, text: &str) -> PortError {
        let message = format!(
            "table `{}` on {}: {text}; nothing was set aside, since this is not about the objects",
            self.loads.table,
            self.loader.api.target()
        );
        PortError::new(kind(text), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, size: u64, columns: Option<&[&str]>) -> Object {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Object { key: key.into(), size, etag: String::new(), columns }
    }

    fn keys(groups: VecDeque<Vec<Object>>) -> Vec<Vec<String>> {
        groups.into_iter().map(|group| group.into_iter().map(|object| object.key).collect()).collect()
    }

    #[test]
    fn groups_hold_objects_of_one_schema_within_their_bounds() {
        let mut config = RedshiftConfig::new("online", "retail", "default", "lake", "s3://lake/");
        (config.most_objects, config.most_bytes) = (2, 100);
        let objects = vec![
            object("d", 60, None),
            object("a", 1, None),
            object("b", 1, None),
            object("c", 50, None),
            object("z", 1, Some(&["x"])),
            object("y", 500, Some(&["x"])),
            object("a", 1, None),
        ];
        let found = keys(groups(objects, ObjectFormat::Parquet, &config));
        assert_eq!(found, [vec!["a", "b"], vec!["c"], vec!["d"], vec!["y"], vec!["z"]]);
    }

    #[test]
    fn compressed_lines_are_copied_apart_from_plain_ones() {
        let config = RedshiftConfig::new("online", "retail", "default", "lake", "s3://lake/");
        let objects = vec![object("a.gz", 1, None), object("b", 1, None), object("c.gz", 1, None)];
        assert_eq!(keys(groups(objects.clone(), ObjectFormat::Json, &config)), [vec!["b"], vec!["a.gz", "c.gz"]]);
        assert_eq!(groups(objects, ObjectFormat::Parquet, &config).len(), 1);
    }
}
