//! What else can come between a cut and its commit, or between two runs: another program, another manifest, another
//! input, a full disk, a second process.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::oracle::Expected;
use crate::support::orders;
use crate::support::skipped;
use crate::support::sluice::{Sluice, variant, write_pipeline};
use crate::support::world::{World, is_right};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A world whose run died with three segments committed and a cut open.
fn interrupted() -> World {
    let world = World::new(12_000, 10);
    world.run().dying_at("before-commit", 4).output();
    let (cut, _) = world.lake().open_cut().expect("it died between cut and commit");
    assert_eq!((cut.number, world.lake().commits().len()), (4, 3));
    world
}

/// Insists that cut 4 was aborted for a reason, and that the lake is right all the same.
#[track_caller]
fn aborted_and_cut_anew(world: &World, run: Sluice, reason: &str) {
    let (_, digest) = world.lake().open_cut().expect("a cut is open");
    let account = run.output().ok().account();
    let note = account["notes"][0].as_str().unwrap_or_default();
    assert!(note.starts_with("cut 4 was aborted and its records are cut anew: "), "{note}");
    assert!(note.contains(reason), "{note}");
    assert_eq!(world.lake().aborts().len(), 1);
    assert!(world.lake().objects_of(&digest).is_empty(), "objects of the aborted cut are still there");
    world.is_right();
}

#[test]
fn another_build_of_the_program_aborts_the_cut_and_cuts_anew() {
    let world = interrupted();
    let program = world.path("sluice-of-another-build");
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_sluice")).expect("the program is there");
    bytes.push(0);
    files::write(&program, bytes);
    fs::set_permissions(&program, fs::metadata(env!("CARGO_BIN_EXE_sluice")).unwrap().permissions()).unwrap();
    let run = Sluice::run_with(&program, &world.pipeline, &world.data).input(&world.input);
    aborted_and_cut_anew(&world, run, "the program changed since it was cut");
}

#[test]
fn with_another_manifest_the_cut_is_finished_by_the_one_that_cut_it() {
    let world = interrupted();
    let pipeline = variant("orders", &world.path("other"), "segment: { rows: 5000 }");
    let account = Sluice::run(&pipeline, &world.data).input(&world.input).output().ok().account();
    let note = account["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("was left without its commit and was run again"), "{note}");
    assert!(world.lake().aborts().is_empty());
    world.is_right();
}

#[test]
fn what_changes_nothing_in_a_manifest_aborts_nothing() {
    let world = interrupted();
    let manifest = world.pipeline.join("pipeline.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.replacen("description: ", "description: the same in other words, formerly ", 1);
    files::write(&manifest, format!("# a comment\n{text}"));
    world.finish();
    assert!(world.lake().aborts().is_empty());
}

/// A world whose first cut is open, so that no commit knows its files.
fn interrupted_at_the_first_cut() -> World {
    let world = World::new(4_000, 8);
    world.run().dying_at("before-commit", 1).output();
    assert_eq!(world.lake().open_cut().map(|(cut, _)| cut.number), Some(1));
    world
}

/// The file that the open cut reads first.
fn file_of_the_cut(world: &World) -> std::path::PathBuf {
    let (cut, _) = world.lake().open_cut().expect("a cut is open");
    world.input.join(&*cut.batches[0].origin.shard.shard)
}

#[test]
fn an_input_replaced_between_cut_and_commit_aborts_the_cut_and_is_read_anew() {
    let world = interrupted_at_the_first_cut();
    files::write(&file_of_the_cut(&world), orders::lines(500, 99).join("\n") + "\n");
    let account = world.run().output().ok().account();
    let note = account["notes"][0].as_str().unwrap_or_default();
    assert!(note.starts_with("cut 1 was aborted and its records are cut anew: its input cannot be had"), "{note}");
    world.is_right();
}

#[test]
fn bytes_changed_within_the_stretch_of_an_open_cut_abort_it() {
    let world = interrupted_at_the_first_cut();
    let file = file_of_the_cut(&world);
    // beyond the first bytes, which are the file's identity
    let text = fs::read_to_string(&file).unwrap();
    let at = text[5000..].find("\"ord-").expect("there are orders") + 5000;
    let changed = format!("{}\"ORD-{}", &text[..at], &text[at + 5..]);
    assert_ne!(text, changed);
    files::write(&file, changed);
    let account = world.run().output().ok().account();
    let note = account["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("its bytes are not those that were cut"), "{note}");
    world.is_right();
}

#[test]
fn an_input_gone_between_cut_and_commit_aborts_the_cut() {
    let world = interrupted_at_the_first_cut();
    fs::remove_file(file_of_the_cut(&world)).unwrap();
    world.run().output().ok();
    assert_eq!(world.lake().aborts().len(), 1);
    world.is_right();
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_folder() {
    let world = World::new(1_000, 2);
    let mut holder = world.run().arg("--follow").spawn();
    let id = holder.id().to_string();
    let lock = world.data.join("_sluice/lock");
    holder.until("the lock", || fs::read_to_string(&lock).is_ok_and(|text| text.trim() == id));
    world.run().output().exits(6).says(&[&format!("process {id}"), "lake", "another folder"]);
    holder.terminate();
    holder.wait().ok();
    world.finish();
}

#[test]
fn a_folder_of_another_dataset_is_left_as_it_is() {
    let world = World::new(500, 2);
    world.finish();
    let before = world.lake().files();
    let text = fs::read_to_string(world.pipeline.join("pipeline.yaml")).unwrap();
    let other = write_pipeline(&world.path("other"), &text.replacen("dataset: orders", "dataset: invoices", 1));
    let outcome = Sluice::run(&other, &world.data).input(&world.input).output().exits(7);
    outcome.says(&["belongs to dataset `orders`", "`invoices`"]);
    assert_eq!(world.lake().files(), before);
}

/// A file system of a few megabytes; unmounted when it is dropped.
struct TinyDisk<'a>(&'a Path);

impl<'a> TinyDisk<'a> {
    fn mount(at: &'a Path, size: &str) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|error| error.to_string())?;
        Self::options(at, &format!("size={size}")).map(|()| Self(at))
    }

    fn enlarge(&self, size: &str) {
        Self::options(self.0, &format!("remount,size={size}")).expect("what was mounted can be mounted larger");
    }

    fn options(at: &Path, options: &str) -> Result<(), String> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for TinyDisk<'_> {
    fn drop(&mut self) {
        // a leftover of a few megabytes is no reason to fail
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_stops_with_its_own_code_moves_no_position_and_goes_on_when_there_is_room() {
    // more than the disk holds with the reserve
    let world = World::new(150_000, 30);
    let folder = world.path("disk");
    let disk = match TinyDisk::mount(&folder, "9m") {
        Ok(disk) => disk,
        Err(why) => return skipped("a full disk", &format!("no small file system can be mounted here: {why}")),
    };
    // 4 MiB are the reserve; the ballast leaves room for a few segments
    let (ballast, data) = (folder.join("ballast"), folder.join("lake"));
    files::write(&ballast, vec![1; 3 << 20]);
    let lake = Lake::new(&data);
    let outcome = world.run_into(&data, 2).output().exits(5).says(&["lake"]);
    assert!(!outcome.printed().contains("panicked"), "{}", outcome.printed());
    let committed = lake.read();
    let expected = Expected::of(&world.input);
    assert!(committed > 0 && committed < expected.read, "{committed} of {}", expected.read);
    // it stays as it is while there is no room
    world.run_into(&data, 2).output().exits(5);
    assert_eq!(lake.read(), committed);
    fs::remove_file(&ballast).unwrap();
    disk.enlarge("64m");
    world.run_into(&data, 2).output().ok();
    is_right(&lake, &expected);
}
