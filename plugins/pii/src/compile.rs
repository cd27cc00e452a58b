//! From the configuration of a column to what is done with it.

use crate::action::Action;
use crate::config::ColumnConfig;
use crate::find::{Find, Hidden, bracketed};
use crate::whole::Partial;
use sluice_sdk::kernels::detect::{Finder, Kind};
use sluice_sdk::{ColumnId, ColumnType, Setup, nearest};

/// The ways of hiding.
const WAYS: [&str; 4] = ["mask", "partial", "replace", "drop"];

/// Compiles one column; everything wrong with it is told to `setup`.
pub(crate) fn column(name: &str, config: &ColumnConfig, setup: &mut Setup<'_>) -> Option<(ColumnId, Action)> {
    let path = Setup::pointer(&["columns", name]);
    let read = setup.read(name, &path);
    let mut compiler = Compiler { config, path, setup };
    let action = compiler.action(read.map(|read| read.ty));
    let (read, action) = (read?, action?);
    let drops = matches!(action, Action::Drop(_));
    if read.ty != ColumnType::Text && !drops {
        let message = [
            "column `",
            name,
            "` is ",
            &read.ty.to_string(),
            " here; only text can be hidden in part, the rest can be dropped (`\"how\": \"drop\"`)",
        ];
        compiler.find("", &message.concat());
        return None;
    }
    setup.replaces(name, read.ty, read.nullable || drops);
    Some((read.id, action))
}

struct Compiler<'a, 's, 'i> {
    config: &'a ColumnConfig,
    path: String,
    setup: &'s mut Setup<'i>,
}

impl Compiler<'_, '_, '_> {
    /// None means that something was found wrong, here and below.
    fn action(&mut self, ty: Option<ColumnType>) -> Option<Action> {
        let config = self.config;
        let how = config.how.as_deref().unwrap_or("replace");
        if how == "token" {
            self.find("how", "keyed pseudonyms are made by the rule `pseudonyms`, which is granted `token`");
        } else if !WAYS.contains(&how) {
            self.unknown("how", "way", how, &WAYS);
        }
        if config.with.is_some() && how != "replace" {
            self.find("with", "this is for `\"how\": \"replace\"` only; leave it out");
        }
        let kind = config.as_a.as_deref().map(|name| self.kind(name, "as"));
        if let Some(find) = &config.find {
            return self.found(find, how);
        }
        if kind == Some(None) {
            return None;
        }
        let kind = kind.flatten();
        match how {
            "mask" => Some(Action::Mask),
            "partial" => Some(Action::Partial(Partial::of(kind))),
            "replace" => {
                let default = kind.map_or("[REDACTED]", bracketed);
                Some(Action::Replace(config.with.clone().unwrap_or_else(|| default.to_owned())))
            }
            "drop" => ty.map(Action::Drop),
            _ => None,
        }
    }

    /// Something is looked for in free text.
    fn found(&mut self, names: &[String], how: &str) -> Option<Action> {
        if self.config.as_a.is_some() {
            self.find("as", "`as` is for the whole value and `find` for what stands in it; leave one of them out");
        }
        if names.is_empty() {
            self.find("find", "the list is empty; name what is looked for");
        }
        let mut kinds = Vec::new();
        for (i, name) in names.iter().enumerate() {
            kinds.extend(self.kind(name, &format!("find/{i}")));
        }
        let how = match how {
            "mask" => Hidden::Mask,
            "partial" => Hidden::Partial,
            "replace" => self.config.with.clone().map_or(Hidden::Kind, Hidden::With),
            "drop" => Hidden::With(String::new()),
            _ => return None,
        };
        Some(Action::Find(Box::new(Find { finder: Finder::new(kinds), how })))
    }

    fn kind(&mut self, name: &str, key: &str) -> Option<Kind> {
        let kind = Kind::from_name(name);
        if kind.is_none() {
            self.unknown(key, "kind", name, &Kind::ALL.map(Kind::name));
        }
        kind
    }

    fn unknown(&mut self, key: &str, what: &str, name: &str, known: &[&str]) {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => ["; did you mean `", near, "`?"].concat(),
            None => String::new(),
        };
        let message = ["unknown ", what, " `", name, "`", &hint, " (known: ", &known.join(", "), ")"].concat();
        self.find(key, &message);
    }

    #[inline(never)]
    fn find(&mut self, key: &str, message: &str) {
        let mark = if key.is_empty() { "" } else { "/" };
        self.setup.find(&[&self.path, mark, key].concat(), message);
    }
}
