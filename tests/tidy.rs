//! The rules of this crate that no compiler keeps: who may know whom, and what stands nowhere.
//!
//! Each test is one rule of ARCHITECTURE.md and names every place that breaks it. A rule is mended in the code, or
//! changed there and here together with its reason.

#[path = "tidy/source.rs"]
mod source;

use source::{Kind, Source, Target, files, read, root, sources};

/// Modules of the library from the bottom up: a module knows those of lower floors only, and on its own floor
/// none but those in [`NEIGHBOURS`].
const FLOORS: [&[&str]; 3] = [
    &["error", "failpoint", "model", "options", "schema"],
    &["encode", "format", "ledger", "plan", "pool", "report", "source", "target"],
    &["jobs", "load", "verify"],
];

/// Modules of one floor that know each other, and why.
const NEIGHBOURS: [(&str, &str); 8] = [
    // Errors, times and settings are the language that every module speaks.
    ("failpoint", "error"),
    ("model", "error"),
    ("options", "error"),
    ("options", "model"),
    ("schema", "error"),
    ("schema", "model"),
    ("schema", "options"),
    // The ledger is kept in the target's database, and speaks through its sessions.
    ("ledger", "target"),
];

/// Files that only tests use; limits of size do not hold for them.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("tests.rs")
}

fn in_folder(source: &Source, folders: &[&str]) -> bool {
    folders.iter().any(|folder| source.path.starts_with(&format!("src/{folder}/")) || source.module() == *folder)
}

/// Fails and names every place, if there are any.
fn refuse(rule: &str, places: &[String]) {
    assert!(places.is_empty(), "{rule}:\n  {}", places.join("\n  "));
}

/// Places outside of `owners` that name one of `crates`.
fn strangers_naming(crates: &[&str], owners: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !in_folder(source, owners)) {
        for name in crates {
            places
                .extend(source.lines_naming(name).into_iter().map(|line| format!("{} names {name}", source.at(line))));
        }
    }
    places
}

#[test]
fn only_target_and_ledger_name_the_server_client() {
    let places = strangers_naming(&["tokio_postgres", "tokio_postgres_rustls", "rustls"], &["target", "ledger"]);
    refuse("the server is reached through src/target and src/ledger alone", &places);
}

#[test]
fn only_source_names_the_object_store() {
    refuse(
        "objects are kept track of in src/source alone",
        &strangers_naming(&["object_store", "globset"], &["source"]),
    );
}

#[test]
fn only_format_names_the_crates_that_decode() {
    // The demo's sample is written, not read.
    let writes = |place: &String| place.starts_with("src/cli/sample.rs:") && place.ends_with(" csv");
    let places: Vec<String> = strangers_naming(&["csv", "encoding_rs", "parquet"], &["format"])
        .into_iter()
        .filter(|it| !writes(it))
        .collect();
    refuse("formats are decoded in src/format alone", &places);
}

#[test]
fn only_pool_names_the_thread_pool() {
    refuse("threads are kept in src/pool alone", &strangers_naming(&["rayon"], &["pool"]));
}

#[test]
fn only_failpoint_names_the_crate_that_makes_loaders_fail_and_no_feature_brings_it_along() {
    refuse("points are passed through src/failpoint.rs alone", &strangers_naming(&["fail"], &["failpoint"]));
    let manifest = read("Cargo.toml");
    let features = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let bringing: Vec<String> = features
        .lines()
        .filter(|line| line.contains("fail") && !line.starts_with("failpoints = ") && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    refuse("what people install has no failpoints", &bringing);
    assert!(manifest.contains("\nfail = { version = \"0.5\", optional = true }\n"), "the crate `fail` is optional");
}

#[test]
fn only_the_command_line_names_terminal_crates() {
    let terminal = ["anyhow", "clap", "humantime", "indicatif", "toml", "tracing_subscriber"];
    refuse("a library user compiles no terminal code", &strangers_naming(&terminal, &["cli", "main"]));
}

#[test]
fn the_command_line_uses_nothing_but_the_public_crate() {
    let mut places = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| in_folder(source, &["cli", "main"])) {
        for (line, target) in source.targets() {
            if let Target::Own(path) = target
                && path.first().is_none_or(|first| first != "cli" && first != "main")
            {
                places.push(format!("{} names crate::{}", source.at(line), path.join("::")));
            }
        }
        let including = |triple: &&[source::Token]| {
            let texts = [&triple[0], &triple[1], &triple[2]].map(|token| token.text.as_str());
            matches!(texts, ["[", "path", "="] | ["include", "!", _])
        };
        let included = source.tokens.windows(3).filter(including);
        places.extend(included.map(|triple| format!("{} takes in another file", source.at(triple[0].line))));
    }
    let library = Source::new(read("src/lib.rs"), "src/lib.rs".to_owned());
    let declares = |pair: &[source::Token]| pair[0].text == "mod" && pair[1].text == "cli";
    places.extend(library.tokens.windows(2).any(declares).then(|| "src/lib.rs declares the command line".to_owned()));
    refuse("src/cli is a user of the crate like any other", &places);
}

#[test]
fn the_private_server_of_demo_and_tests_knows_only_std_and_tempfile() {
    let mut places = Vec::new();
    for source in sources(&["src/cli/server"]) {
        for (line, target) in source.targets() {
            let Target::Other(name) = target else { continue };
            let is_crate = dependencies().contains(&name.replace('_', "-")) || name == "pgbackfill";
            if is_crate && name != "tempfile" {
                places.push(format!("{} names {name}", source.at(line)));
            }
        }
    }
    refuse("the tests' harness takes src/cli/server in by path", &places);
}

/// Names of the crates that Cargo.toml lists.
fn dependencies() -> Vec<String> {
    let name = |line: &str| line.split_once(" = ").map(|(name, _)| name.to_owned());
    read("Cargo.toml").lines().filter_map(name).collect()
}

#[test]
fn decoding_encoding_and_planning_know_no_async_and_no_io() {
    let pure = ["encode", "format", "model", "plan", "schema"];
    let mut places = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| in_folder(source, &pure) && !is_test(&source.path)) {
        for name in ["tokio", "futures_util", "rayon"] {
            places
                .extend(source.lines_naming(name).into_iter().map(|line| format!("{} names {name}", source.at(line))));
        }
        let words: Vec<&str> = source.tokens.iter().map(|token| token.text.as_str()).collect();
        for (at, triple) in words.windows(3).enumerate() {
            if triple[0] == "std" && triple[1] == "::" && ["env", "fs", "net", "process"].contains(&triple[2]) {
                places.push(format!("{} names std::{}", source.at(source.tokens[at].line), triple[2]));
            }
        }
    }
    refuse("they are handed bytes, and hand bytes on", &places);
}

#[test]
fn arrows_point_one_way() {
    let names = public_names();
    let mut places = Vec::new();
    for source in sources(&["src"]) {
        let Some(floor) = floor_of(source.module()) else { continue };
        for (line, target) in source.targets() {
            let Target::Own(path) = target else { continue };
            let Some(first) = path.first() else { continue };
            let module = names.iter().find(|(name, _)| name == first).map_or(first, |(_, module)| module);
            let known = module == source.module() || NEIGHBOURS.contains(&(source.module(), module));
            if !known && floor_of(module).is_some_and(|other| other >= floor) {
                places.push(format!("{}: {} knows {module}", source.at(line), source.module()));
            }
        }
    }
    refuse("cli, then load, verify and jobs, then the workshops, then schema, model, options and error", &places);
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Names that src/lib.rs gives out, with the module of each.
fn public_names() -> Vec<(String, String)> {
    let library = Source::new(read("src/lib.rs"), "src/lib.rs".to_owned());
    let named = library.targets().into_iter().filter_map(|(_, target)| match target {
        Target::Own(path) if path.len() > 1 => Some((path[path.len() - 1].clone(), path[0].clone())),
        _ => None,
    });
    named.filter(|(name, _)| floor_of(name).is_none()).collect()
}

#[test]
fn every_module_has_its_floor() {
    let has_floor =
        |source: &Source| floor_of(source.module()).is_some() || ["cli", "lib", "main"].contains(&source.module());
    let places: Vec<String> =
        sources(&["src"]).iter().filter(|source| !has_floor(source)).map(|source| source.path.clone()).collect();
    refuse("a new module is given a place in FLOORS", &places);
}

#[test]
fn no_file_has_more_than_600_lines() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > 600 && !is_test(&source.path)).then(|| format!("{}: {lines} lines", source.path))
    };
    refuse("a file past 600 lines wants a second room", &sources(&["src"]).iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let bare = |source: &&Source| !source.text.starts_with("//! ");
    let all = sources(&["src", "tests", "benches", "examples"]);
    refuse(
        "the first line is a sentence after `//!`",
        &all.iter().filter(bare).map(|source| source.at(1)).collect::<Vec<_>>(),
    );
}

#[test]
fn unsafe_stands_in_one_file() {
    // Only a function that runs before the standard library's start sees that stdout was closed.
    let is_named = |place: &String| place.starts_with("src/cli/closed.rs:");
    let places = words_anywhere(|tokens, at| tokens[at].text == "unsafe");
    refuse(
        "one file may earn it for one purpose, and is then named here",
        &places.into_iter().filter(|place| !is_named(place)).collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_is_left_to_be_done() {
    let open = ["todo", "unimplemented", "dbg"];
    let places = words_anywhere(|tokens, at| {
        open.contains(&tokens[at].text.as_str()) && tokens.get(at + 1).is_some_and(|mark| mark.text == "!")
    });
    refuse("there is no stub behind any door", &places);
}

fn words_anywhere(wrong: impl Fn(&[source::Token], usize) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources(&["src", "tests", "benches", "examples"]) {
        let words = source.tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word);
        let wrong = words.filter(|(at, _)| wrong(&source.tokens, *at));
        places.extend(wrong.map(|(_, token)| format!("{}: {}", source.at(token.line), token.text)));
    }
    places
}

#[test]
fn every_range_of_sql_is_half_open() {
    let mut places = Vec::new();
    for path in files("src", ".sql") {
        let statements = read(&path);
        let code = statements.lines().enumerate().map(|(at, line)| (at, line.split("--").next().unwrap_or_default()));
        places.extend(code.filter(|(_, line)| has_between(line)).map(|(at, _)| format!("{path}:{}", at + 1)));
    }
    for source in sources(&["src", "tests", "benches", "examples"]) {
        let texts = source.tokens.iter().filter(|token| token.kind == Kind::Text && is_range(&token.text));
        places.extend(texts.map(|token| source.at(token.line)));
    }
    refuse("windows are [start, end), and `between` takes the end in", &places);
}

fn has_between(text: &str) -> bool {
    has_word(text, &["between"])
}

/// Whether a text is a statement or a part of one, unlike prose in a message, and has a range that takes its end in.
fn is_range(text: &str) -> bool {
    has_between(text) && has_word(text, &["select", "where", "delete", "update"])
}

fn has_word(text: &str, wanted: &[&str]) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

#[test]
fn every_bad_fixture_is_named_by_a_test() {
    assert!(root().join("fixtures/bad").is_dir(), "fixtures/bad is gone");
    let sources = sources(&["src", "tests"]);
    let named = |name: &str| {
        let names =
            |source: &Source| source.tokens.iter().any(|token| token.kind == Kind::Text && token.text.contains(name));
        sources.iter().any(names)
    };
    let places: Vec<String> = files("fixtures/bad", "")
        .into_iter()
        .filter(|path| !named(path.rsplit('/').next().expect("a split has a last part")))
        .collect();
    refuse("a bad file without a test proves nothing", &places);
}

#[test]
fn every_file_that_the_documents_name_is_there_and_its_tests_are_tests() {
    let known: Vec<String> =
        ["src", "tests", "examples", "benches"].iter().flat_map(|folder| files(folder, "")).collect();
    let mut places = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "GUARANTEES.md", "CONTRIBUTING.md"] {
        for (line, text) in read(document).lines().enumerate() {
            for name in text.split('`').skip(1).step_by(2).filter_map(file_named) {
                let found = known.iter().find(|path| **path == name || path.ends_with(&format!("/{name}")));
                let is_empty = |path: &String| path.starts_with("tests/suite/") && !read(path).contains("#[test]");
                match found {
                    None => places.push(format!("{document}:{}: {name} is not there", line + 1)),
                    Some(path) if is_empty(path) => {
                        places.push(format!("{document}:{}: {name} tests nothing", line + 1));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    refuse("what is written of the code is true of it", &places);
}

/// The file in `load/window.rs::admit` and the like.
fn file_named(text: &str) -> Option<&str> {
    let name = text.split("::").next()?;
    let is_file = [".rs", ".sql"].iter().any(|ending| name.ends_with(ending));
    (is_file && !name.starts_with('.')).then_some(name)
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let page = read("GUARANTEES.md");
    let mut places = Vec::new();
    for (number, line) in page.lines().enumerate() {
        for (module, name) in line.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")) {
            let subject = format!("tests/suite/{module}");
            let within = |path: &&String| **path == format!("{subject}.rs") || path.starts_with(&format!("{subject}/"));
            let is_there = files("tests/suite", ".rs").iter().filter(within).any(|path| read(path).contains(name));
            places.extend((!is_there).then(|| format!("GUARANTEES.md:{} names {module}::{name}", number + 1)));
        }
    }
    assert!(page.contains("`kill::"), "the page names tests as module::name");
    refuse("what is promised is tested", &places);
}

mod reading {
    //! The rules are worth what their reader is worth.

    use super::source::{Kind, Source, Target, tokens};

    fn others(path: &str, text: &str) -> Vec<(usize, String)> {
        let other = |(line, target)| match target {
            Target::Other(name) => Some((line, name)),
            Target::Own(_) => None,
        };
        Source::new(text.to_owned(), path.to_owned()).targets().into_iter().filter_map(other).collect()
    }

    #[test]
    fn comments_texts_and_characters_hide_what_is_in_them() {
        let text =
            "// rayon::a\n/* b /* c */ rayon::d */ \"rayon::e\" r#\"f\" rayon::g\"# 'x' '\\'' '\"' b'\"' &'a str";
        let found = tokens(text);
        let words: Vec<&str> =
            found.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text.as_str()).collect();
        assert_eq!(words, ["str"]);
        assert_eq!(found.iter().filter(|token| token.kind == Kind::Text).count(), 2);
    }

    #[test]
    fn a_crate_is_named_by_a_use_by_a_path_and_from_the_root() {
        let text = "use csv::Reader;\nfn a() { ::csv::b(); }\nfn c() { csv::d() }\nuse {parquet::{e, f as g}};";
        let names = others("src/x.rs", text);
        let crates = |name: &str| names.iter().filter(|(_, it)| it == name).map(|(line, _)| *line).collect::<Vec<_>>();
        assert_eq!(crates("csv"), [1, 2, 3]);
        assert_eq!(crates("parquet"), [4, 4]);
    }

    #[test]
    fn a_module_of_the_same_name_is_not_the_crate() {
        for text in [
            "use crate::format::csv::{self, Dialect};\nfn a() { csv::survey() }",
            "use crate::format::{csv, parquet};\nfn a() { csv::survey() }",
            "use super::csv;\nfn a() { csv::survey() }",
            "mod csv;\nfn a() { csv::survey() }",
            "fn a() { super::csv::b(); crate::format::csv::c() }",
        ] {
            assert_eq!(others("src/x/y.rs", text), [], "{text}");
        }
    }

    #[test]
    fn super_is_counted_from_the_file_and_from_inline_modules() {
        let text = "use super::a;\nmod tests {\n    use super::b;\n    use super::super::c;\n}\nuse super::super::d;";
        let source = Source::new(text.to_owned(), "src/x/y.rs".to_owned());
        let own: Vec<String> = source
            .targets()
            .into_iter()
            .filter_map(|(_, target)| if let Target::Own(path) = target { Some(path.join("::")) } else { None })
            .collect();
        assert_eq!(own, ["x::a", "x::y::b", "x::c", "d"]);
    }
}
