//! The pipelines that come with Sluice hold together.

use sluice_manifest::{Checked, load};
use std::path::{Path, PathBuf};

fn pipelines() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut folders: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn checked(pipeline: &Path) -> Checked {
    load(pipeline).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_pipeline_checks_out() {
    let names: Vec<String> = pipelines().iter().map(|pipeline| checked(pipeline).plan.dataset).collect();
    assert_eq!(names, ["hr-employees", "iot-sensors", "online-retail", "orders"]);
}

#[test]
fn every_pipeline_has_its_sample_beside_it() {
    for pipeline in pipelines() {
        let checked = checked(&pipeline);
        let input = checked.environment("local").unwrap().input.clone().unwrap();
        assert!(input.is_file() && input.starts_with(&pipeline), "{}", input.display());
        assert!(checked.rules_path.unwrap().is_dir());
    }
}
