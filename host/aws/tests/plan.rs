//! What a pipeline needs of an account, as cases: folders under `plan` with `needs.json`, and what is written for it as
//! `plan.json` and `main.tf`. `SLUICE_BLESS=1` writes the latter two anew.

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::parser::parse_body;
use hcl_edit::structure::{Block, Body};
use hcl_edit::visit::{Visit, visit_traversal};
use serde_json::Value;
use sluice_aws::plan::{Needs, json, terraform};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Most characters of the policies written into one role, blanks aside
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MAX_POLICY: usize = 10_240;

fn cases() -> Vec<(PathBuf, Needs)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
    let mut cases: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let needs = |case: &Path| serde_json::from_str(&fs::read_to_string(case.join("needs.json")).unwrap()).unwrap();
    cases.into_iter().map(|case| (case.clone(), needs(&case))).collect()
}

#[test]
fn every_case_gets_the_plan_expected() {
    let bless = std::env::var_os("SLUICE_BLESS").is_some();
    let mut wrong = Vec::new();
    for (case, needs) in cases() {
        for (name, said) in [("plan.json", json(&needs)), ("main.tf", terraform(&needs))] {
            let file = case.join(name);
            if bless {
                fs::write(&file, &said).unwrap();
            }
            if fs::read_to_string(&file).unwrap_or_default() != said {
                wrong.push(file.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "other plans than expected (SLUICE_BLESS=1 takes them over): {}", wrong.join(", "));
}

/// Statements of the policies of one role, or of all.
fn statements(plan: &Value, role: &str) -> Vec<Value> {
    let roles = plan["roles"].as_array().unwrap().iter().filter(|one| role.is_empty() || one["role"] == role);
    roles.flat_map(|role| role["policy"]["Statement"].as_array().unwrap().clone()).collect()
}

#[test]
fn nothing_is_allowed_on_everything_but_statements_of_ones_own() {
    for (case, needs) in cases() {
        let plan: Value = serde_json::from_str(&json(&needs)).unwrap();
        for statement in statements(&plan, "") {
            let all = |key: &str| statement[key].as_array().unwrap().iter().any(|one| one.as_str().unwrap() == "*");
            assert!(!all("Resource") || statement["Sid"] == "OwnStatements", "{}: {statement}", case.display());
            let wild = statement["Action"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().contains('*'));
            assert!(!wild, "{}: {statement}", case.display());
        }
    }
}

#[test]
fn buckets_are_listed_below_the_prefixes_of_the_pipeline_only() {
    for (_, needs) in cases() {
        let plan: Value = serde_json::from_str(&json(&needs)).unwrap();
        let lists = |statement: &&Value| statement["Action"].as_array().unwrap().contains(&"s3:ListBucket".into());
        let all = statements(&plan, "");
        let listing: Vec<&Value> = all.iter().filter(lists).collect();
        assert!(!listing.is_empty());
        for statement in listing {
            let prefixes = statement["Condition"]["StringLikeIfExists"]["s3:prefix"].as_array().unwrap();
            assert!(prefixes.iter().all(|prefix| prefix.as_str().unwrap().len() > 2), "{statement}");
        }
    }
}

#[test]
fn policies_fit_into_a_role() {
    for (case, needs) in cases() {
        let plan: Value = serde_json::from_str(&json(&needs)).unwrap();
        for role in plan["roles"].as_array().unwrap() {
            let length = role["policy"].to_string().len();
            assert!(length <= MAX_POLICY, "{} {}: {length}", case.display(), role["role"]);
            assert!(role["name"].as_str().unwrap().len() <= 64);
        }
    }
}

/// What a file of Terraform defines, and what it refers to: `var.a`, `local.b`, `data.kind.name`, `kind.name`.
#[derive(Default)]
struct References(BTreeSet<String>);

impl Visit for References {
    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(first) = &node.expr {
            let names = node.operators.iter().map_while(|operator| match operator.value() {
                TraversalOperator::GetAttr(name) => Some(name.to_string()),
                _ => None,
            });
            let parts: Vec<String> = std::iter::once(first.to_string()).chain(names).collect();
            let length = if parts[0] == "data" { 3 } else { 2 };
            self.0.insert(parts[..length.min(parts.len())].join("."));
        }
        visit_traversal(self, node);
    }
}

fn defined(body: &Body) -> BTreeSet<String> {
    body.blocks().flat_map(definitions).collect()
}

fn definitions(block: &Block) -> Vec<String> {
    let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
    match block.ident.as_str() {
        "resource" => vec![labels.join(".")],
        "data" => vec![format!("data.{}", labels.join("."))],
        "variable" => vec![format!("var.{}", labels[0])],
        "locals" => block.body.attributes().map(|attribute| format!("local.{}", attribute.key.as_str())).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_terraform_is_hcl_whose_references_resolve() {
    for (case, needs) in cases() {
        let body = parse_body(&terraform(&needs)).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let mut references = References::default();
        references.visit_body(&body);
        let defined = defined(&body);
        let missing: Vec<&String> = references.0.difference(&defined).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", case.display());
        assert!(references.0.len() > 6, "{}: {:?}", case.display(), references.0);
        let unused: Vec<&String> = defined.difference(&references.0).filter(|name| !name.starts_with("aws_")).collect();
        assert!(unused.is_empty(), "{}: {unused:?}", case.display());
    }
}

/// `terraform`, where there is one.
fn run(folder: &Path, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(folder).env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1");
    command.output().ok()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder with the AWS provider for `terraform init -plugin-dir`: that of the variable, or where machines keep it.
fn provider() -> Option<PathBuf> {
    let named = std::env::var_os("SLUICE_TERRAFORM_PLUGINS").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".terraform.d/plugins"));
    let usual = ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/tf-plugins"];
    let all = named.into_iter().chain(home).chain(usual.iter().map(PathBuf::from));
    all.into_iter().find(|folder| folder.join("registry.terraform.io/hashicorp/aws").is_dir())
}

#[test]
fn terraform_accepts_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    if run(folder.path(), &["version"]).is_none() {
        eprintln!("SKIPPED: no `terraform` on this machine, the plans were not validated by it");
        return;
    }
    for (case, needs) in cases() {
        fs::write(folder.path().join("main.tf"), terraform(&needs)).unwrap();
        let formatted = run(folder.path(), &["fmt", "-check", "-diff", "-no-color"]).unwrap();
        assert!(formatted.status.success(), "{}: {}", case.display(), said(&formatted));
    }
    let Some(plugins) = provider() else {
        eprintln!("SKIPPED: no AWS provider on this machine (name its folder in SLUICE_TERRAFORM_PLUGINS)");
        return;
    };
    let plugins = format!("-plugin-dir={}", plugins.display());
    let init = run(folder.path(), &["init", "-backend=false", "-input=false", "-no-color", &plugins]).unwrap();
    assert!(init.status.success(), "{}", said(&init));
    for (case, needs) in cases() {
        fs::write(folder.path().join("main.tf"), terraform(&needs)).unwrap();
        let valid = run(folder.path(), &["validate", "-no-color"]).unwrap();
        assert!(valid.status.success(), "{}: {}", case.display(), said(&valid));
    }
}
