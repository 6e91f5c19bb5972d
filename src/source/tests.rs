//! Listing and reading, against real folders.

use std::fs;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::model::Format;

/// A folder whose real path is known (the temporary folder itself may be behind a link).
struct Tree {
    _folder: TempDir,
    root: String,
}

impl Tree {
    fn with_files(paths: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap().to_str().unwrap().to_owned();
        let tree = Self { _folder: folder, root };
        for path in paths {
            tree.write(path, b"a,b\n1,2\n");
        }
        tree
    }

    fn path(&self, relative: &str) -> String {
        format!("{}/{relative}", self.root)
    }

    fn write(&self, relative: &str, bytes: &[u8]) {
        let path = self.path(relative);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    async fn list(&self, patterns: &[&str]) -> Result<(Objects, Vec<Object>)> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| self.path(pattern)).collect();
        list(&patterns, Limits::default(), TableFormats::Refuse).await
    }

    /// The listed paths relative to the root.
    async fn found(&self, patterns: &[&str]) -> Vec<String> {
        let (_, objects) = self.list(patterns).await.unwrap();
        let relative = |object: &Object| object.uri[self.root.len() + 1..].to_owned();
        objects.iter().map(relative).collect()
    }

    async fn error(&self, patterns: &[&str]) -> Error {
        self.list(patterns).await.unwrap_err()
    }
}

async fn read_one(objects: &Objects, object: &Object, range: Range<u64>) -> Result<Bytes> {
    let mut buffers = objects.read(object, std::slice::from_ref(&range)).await?;
    assert_eq!(buffers.len(), 1);
    Ok(buffers.remove(0))
}

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn list_fixture(name: &str) -> Result<Object> {
    Ok(list(&[fixture(name)], Limits::default(), TableFormats::Refuse).await?.1.remove(0))
}

#[tokio::test]
async fn a_folder_means_all_files_below_it_but_hidden_ones() {
    let tree = Tree::with_files(&["b.csv", "a/deep/er.txt", ".hidden", "_SUCCESS", "_old/x.csv", ".git/x"]);
    assert_eq!(tree.found(&[""]).await, ["a/deep/er.txt", "b.csv"]);
}

#[tokio::test]
async fn one_star_stays_in_its_folder_and_two_cross_folders() {
    let tree = Tree::with_files(&["a.csv", "b.txt", "x/a.csv", "x/y/a.csv", "x/y/_tmp/a.csv"]);
    assert_eq!(tree.found(&["*.csv"]).await, ["a.csv"]);
    assert_eq!(tree.found(&["*/*.csv"]).await, ["x/a.csv"]);
    assert_eq!(tree.found(&["**/*.csv"]).await, ["a.csv", "x/a.csv", "x/y/a.csv"]);
    assert_eq!(tree.found(&["x/**"]).await, ["x/a.csv", "x/y/a.csv"]);
    assert_eq!(tree.found(&["**/_tmp/*"]).await, ["x/y/_tmp/a.csv"]);
}

#[tokio::test]
async fn globs_know_question_marks_classes_and_braces() {
    let tree = Tree::with_files(&["a1.csv", "a2.csv", "b1.csv", "c/d.csv"]);
    assert_eq!(tree.found(&["?1.csv"]).await, ["a1.csv", "b1.csv"]);
    assert_eq!(tree.found(&["a[2-9].csv"]).await, ["a2.csv"]);
    assert_eq!(tree.found(&["{a2,b1}.csv"]).await, ["a2.csv", "b1.csv"]);
    assert_eq!(tree.found(&["{c/d,a1}.csv"]).await, ["a1.csv", "c/d.csv"]);
}

#[tokio::test]
async fn overlapping_patterns_give_each_object_once_and_sorted() {
    let tree = Tree::with_files(&["b.csv", "a.csv", "x/c.csv"]);
    assert_eq!(tree.found(&["x/../b.csv", "*.csv", "", "x"]).await, ["a.csv", "b.csv", "x/c.csv"]);
}

#[tokio::test]
async fn a_path_that_exists_is_not_a_glob() {
    let tree = Tree::with_files(&["[ab].csv", "a.csv", "{x}/y.csv"]);
    assert_eq!(tree.found(&["[ab].csv"]).await, ["[ab].csv"]);
    assert_eq!(tree.found(&["{x}"]).await, ["{x}/y.csv"]);
    assert_eq!(tree.found(&["[abc].csv"]).await, ["a.csv"]);
}

#[tokio::test]
async fn odd_names_can_be_listed_and_read() {
    let names = ["a b%20c.csv", "q?#h.csv", "ü%.csv", "back\\slash.csv", "dash#1x.csv"];
    let tree = Tree::with_files(&names);
    let (objects, listed) = tree.list(&[""]).await.unwrap();
    assert_eq!(listed.len(), names.len());
    for object in &listed {
        assert_eq!(read_one(&objects, object, 4..7).await.unwrap(), "1,2");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_without_repeating_a_file_or_going_round() {
    use std::os::unix::fs::symlink;
    let tree = Tree::with_files(&["data/2024/a.csv", "elsewhere/b.csv"]);
    symlink(tree.path("data/2024"), tree.path("data/latest")).unwrap();
    symlink(tree.path("data"), tree.path("data/2024/up")).unwrap();
    symlink(tree.path("elsewhere/b.csv"), tree.path("data/b.csv")).unwrap();
    assert_eq!(tree.found(&["data"]).await, ["data/2024/a.csv", "elsewhere/b.csv"]);
    assert_eq!(tree.found(&["data/**/latest/*.csv"]).await, ["data/2024/a.csv"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_nothing_is_an_error_and_not_skipped() {
    let tree = Tree::with_files(&["a.csv"]);
    std::os::unix::fs::symlink("/nowhere/at/all", tree.path("b.csv")).unwrap();
    let error = tree.error(&["*.csv"]).await;
    assert_eq!((error.kind(), error.place().object.clone()), (ErrorKind::Source, Some(tree.path("b.csv"))));
    assert_eq!(tree.found(&["a*"]).await, ["a.csv"]);
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_names_itself_and_where_it_looked() {
    let tree = Tree::with_files(&["x/a.csv", "x/_b.txt"]);
    let error = tree.error(&["x/a.csv", "x/*.txt"]).await;
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(
        error.to_string(),
        format!("source '{}' matches nothing: looked into {}", tree.path("x/*.txt"), tree.path("x"))
    );
    assert!(error.hint().unwrap().starts_with("1 names that start with"));
    assert!(tree.error(&["?"]).await.hint().unwrap().contains("/**"), "a folder matches");
    let absent = tree.error(&["y/*.csv"]).await.to_string();
    assert!(absent.contains("matches nothing") && absent.contains(&tree.path("y")), "{absent}");
    assert!(tree.error(&["z.csv"]).await.to_string().contains("does not exist"));
    assert!(tree.error(&["x/a.csv/"]).await.to_string().contains("does not exist"));
    assert!(tree.error(&["x/[a"]).await.to_string().contains("is not a glob"));
}

#[tokio::test]
async fn path_columns_are_the_same_whoever_expands_the_glob() {
    let tree = Tree::with_files(&["t/env=x/flights/year=2013/month=01/p.csv"]);
    let month = |columns: &[(String, Option<String>)]| {
        columns.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null"))).collect::<Vec<_>>()
    };
    for pattern in ["", "/**/*.csv", "/**", "/year=2013", "/year=2013/*/p.csv", "/year=2013/month=01/p.csv"] {
        let (_, objects) = tree.list(&[&format!("t/env=x/flights{pattern}")]).await.unwrap();
        assert_eq!(month(&objects[0].path_columns), ["year=2013", "month=01"], "{pattern}");
    }
}

/// Patterns that reach into a table at `t`, with data files in folders of two levels.
const INTO_A_TABLE: [&str; 6] = ["t", "t/**/*.csv", "t/day=1", "t/day=1/x.csv", "*/day=*/*.csv", ""];

#[tokio::test]
async fn files_below_a_folder_of_a_table_format_are_refused_however_they_are_named() {
    let tables: [(&str, &[&str]); 9] = [
        ("Delta", &["t/_delta_log/00000000000000000000.json"]),
        ("Hudi", &["t/.hoodie/hoodie.properties"]),
        ("Hudi", &["t/day=1/.hoodie_partition_metadata"]),
        ("Iceberg", &["t/metadata/v1.metadata.json"]),
        ("Iceberg", &["t/metadata/00000-1c5f.metadata.json.gz"]),
        ("Iceberg", &["t/metadata/version-hint.text"]),
        ("Paimon", &["t/schema/schema-0", "t/snapshot/LATEST", "t/manifest/manifest-1"]),
        ("Spark stream", &["t/_spark_metadata/0"]),
        ("_temporary", &["t/_temporary/0/x"]),
    ];
    for (named, signs) in tables {
        let tree = Tree::with_files(&["t/day=1/x.csv", "plain/y.csv"]);
        signs.iter().for_each(|sign| tree.write(sign, b"{}"));
        for pattern in INTO_A_TABLE {
            let error = tree.error(&["plain", pattern]).await;
            assert_eq!(error.kind(), ErrorKind::Source);
            assert!(error.to_string().contains(named), "{named} {pattern}: {error}");
            assert!(error.hint().unwrap().contains("--as-files"), "{named} {pattern}");
        }
        assert_eq!(tree.found(&["plain/*.csv", "pl*/**"]).await, ["plain/y.csv"], "{named}");
        let as_files = list(&[tree.path("t/day=1/*.csv")], Limits::default(), TableFormats::AsFiles).await;
        assert_eq!(as_files.unwrap().1.len(), 1, "{named}");
    }
}

#[tokio::test]
async fn data_folders_beside_iceberg_metadata_and_levels_below_any_table_are_refused() {
    let tree = Tree::with_files(&["t/data/a/b/x.csv", "t/metadata/v2.gz.metadata.json", "h/2024/01/x.csv"]);
    tree.write("h/.hoodie/hoodie.properties", b"");
    for pattern in ["t/data", "t/data/a/b/x.csv", "t/data/*/b/*", "h/2024/01", "h/2024/*/*.csv"] {
        assert!(tree.error(&[pattern]).await.to_string().contains("belongs to"), "{pattern}");
    }
}

#[tokio::test]
async fn files_of_hive_transactions_are_refused() {
    let tree = Tree::with_files(&["w/day=1/delta_0000001_0000001_0000/000000_0", "w/day=1/delta/x.csv"]);
    assert!(tree.error(&["w"]).await.to_string().contains("transactional Hive table"));
    assert_eq!(tree.found(&["w/day=1/delta"]).await, ["w/day=1/delta/x.csv"]);
}

#[tokio::test]
async fn folders_that_only_look_like_tables_load() {
    let tree = Tree::with_files(&[
        "a/metadata/readme.csv",
        "a/x.csv",
        "b/snapshot/x.csv",
        "b/_SUCCESS",
        "b/_metadata",
        "c/_temporary/x",
        "c/done/x.csv",
        "d/t/x.csv",
        "d/other/_delta_log/0.json",
    ]);
    for (pattern, found) in
        [("a/*.csv", "a/x.csv"), ("b", "b/snapshot/x.csv"), ("c/done", "c/done/x.csv"), ("d/t", "d/t/x.csv")]
    {
        assert_eq!(tree.found(&[pattern]).await, [found]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_into_a_table_and_out_of_one_are_refused() {
    use std::os::unix::fs::symlink;
    let tree = Tree::with_files(&["t/x.csv", "t/_delta_log/0.json", "store/y.csv", "store/part/z.csv", "plain/p.csv"]);
    symlink(tree.path("t/x.csv"), tree.path("plain/link.csv")).unwrap();
    symlink(tree.path("t"), tree.path("current")).unwrap();
    symlink(tree.path("store/y.csv"), tree.path("t/y.csv")).unwrap();
    symlink(tree.path("store/part"), tree.path("t/part")).unwrap();
    for pattern in ["plain", "plain/link.csv", "current/*.csv", "t/y.csv", "t/part", "t/part/*.csv", "t/part/z.csv"] {
        assert!(tree.error(&[pattern]).await.to_string().contains("Delta"), "{pattern}");
    }
    assert_eq!(tree.found(&["store", "plain/p.csv"]).await, ["plain/p.csv", "store/part/z.csv", "store/y.csv"]);
}

#[tokio::test]
async fn more_objects_than_the_limit_are_an_error() {
    let tree = Tree::with_files(&["a", "b", "c"]);
    let error =
        list(&[tree.path("")], Limits { objects: 2, ..Limits::default() }, TableFormats::Refuse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(list(&[tree.path("")], Limits { objects: 3, ..Limits::default() }, TableFormats::Refuse).await.is_ok());
}

#[tokio::test]
async fn no_pattern_and_unread_schemes_are_settings_errors() {
    assert_eq!(list(&[], Limits::default(), TableFormats::Refuse).await.unwrap_err().kind(), ErrorKind::Settings);
    let error = list(&["s3://bucket/*.csv".to_owned()], Limits::default(), TableFormats::Refuse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
}

#[tokio::test]
async fn the_format_is_told_by_content_and_not_by_name() {
    assert_eq!(list_fixture("flights_excerpt.parquet").await.unwrap().format, Format::Parquet);
    let named = list_fixture("bad/not_parquet.parquet").await.unwrap();
    assert_eq!(named.format, Format::Csv);
    let tree = Tree::with_files(&[]);
    tree.write("empty.csv", b"");
    fs::copy(fixture("flights_excerpt.parquet"), tree.path("parquet.csv")).unwrap();
    let (_, objects) = tree.list(&[""]).await.unwrap();
    assert_eq!(objects.iter().map(|object| object.format).collect::<Vec<_>>(), [Format::Csv, Format::Parquet]);
}

#[tokio::test]
async fn a_cut_off_parquet_file_is_an_error_and_not_text() {
    let error = list_fixture("bad/truncated.parquet").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains("cut off") && error.to_string().contains("truncated.parquet"), "{error}");
}

#[tokio::test]
async fn compressed_text_is_an_error_that_says_what_to_do() {
    let error = list_fixture("bad/gzipped.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains("gzip") && error.to_string().contains("gzipped.csv"), "{error}");
    assert!(error.hint().unwrap().contains("gunzip"));
}

#[tokio::test]
async fn ranges_come_back_in_their_order_whole_and_overlapping() {
    let tree = Tree::with_files(&[]);
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    tree.write("big", &content);
    let (objects, listed) = tree.list(&["big"]).await.unwrap();
    let ranges = [900_000..900_010, 0..4, 2..70_000, 5..5, 1_199_999..1_200_000, 0..1_200_000];
    let buffers = objects.read(&listed[0], &ranges).await.unwrap();
    for (range, buffer) in ranges.iter().zip(buffers) {
        let expected = &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert!(buffer == expected, "{range:?}");
    }
    assert!(objects.read(&listed[0], &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_range_past_the_end_is_an_error() {
    let tree = Tree::with_files(&["a.csv"]);
    let (objects, listed) = tree.list(&["a.csv"]).await.unwrap();
    let error = read_one(&objects, &listed[0], 0..9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.place().object.as_deref(), Some(tree.path("a.csv").as_str()));
    let (start, end) = (5, 4); // written apart, since a literal range that runs backwards is refused by clippy
    assert!(read_one(&objects, &listed[0], start..end).await.is_err());
}

#[tokio::test]
async fn an_object_that_changed_since_it_was_listed_is_refused() {
    let tree = Tree::with_files(&["grown", "rewritten", "gone", "same"]);
    let (objects, listed) = tree.list(&[""]).await.unwrap();
    tree.write("grown", b"a,b\n1,2\n3,4\n");
    tree.write("rewritten", b"a,b\n9,9\n");
    let later = std::time::SystemTime::now() + std::time::Duration::from_micros(1);
    fs::File::options().write(true).open(tree.path("rewritten")).unwrap().set_modified(later).unwrap();
    fs::remove_file(tree.path("gone")).unwrap();
    for object in &listed {
        let outcome = read_one(&objects, object, 0..8).await;
        if object.uri.ends_with("same") {
            assert_eq!(outcome.unwrap(), "a,b\n1,2\n");
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
        assert_eq!(error.place().object.as_deref(), Some(object.uri.as_str()));
    }
}
