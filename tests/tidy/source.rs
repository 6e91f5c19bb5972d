//! Rust source files as the tidy rules see them: words, marks and texts with their lines, and the paths that they name.
//!
//! Comments are left out, so that a rule may be explained where it holds. What a path means is worked out from the
//! file's own `use` items and modules, so that `csv::survey` after `use crate::format::csv` is no use of the crate `csv`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub(crate) struct Source {
    /// Path below the crate's folder, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    paths: Vec<NamedPath>,
    imports: HashMap<String, Vec<String>>,
    modules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, keyword or number.
    Word,
    /// Punctuation: one character, or `::`.
    Mark,
    /// What stands in a string literal.
    Text,
}

/// A path as it is written, with the inline modules around it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedPath {
    line: usize,
    segments: Vec<String>,
    scope: Vec<String>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An item of the crate that the file belongs to, without the leading `crate`.
    Own(Vec<String>),
    /// Another crate, by its name.
    Other(String),
}

/// The folder of the crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` of the crate whose names end in `ending`, sorted. None where there is no such folder.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a folder of the crate can be listed").path();
            if path.is_dir() {
                // What the fuzz targets are built into is nobody's source.
                waiting.extend((!path.ends_with("fuzz/target")).then_some(path));
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(below_root(&path));
            }
        }
    }
    found.sort();
    found
}

fn below_root(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).expect("the file was found below the crate").into();
    path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All source files below `folders`.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let paths = folders.iter().flat_map(|folder| files(folder, ".rs"));
    let sources: Vec<Source> = paths.map(|path| Source::new(read(&path), path)).collect();
    assert!(!sources.is_empty(), "no source files in {folders:?}");
    sources
}

impl Source {
    pub(crate) fn new(text: String, path: String) -> Self {
        let tokens = tokens(&text);
        let Survey { paths, imports, modules } = survey(&tokens);
        Self { path, text, tokens, paths, imports, modules }
    }

    /// The module in `src/` that the file belongs to: `load` for `src/load/run.rs`, `error` for `src/error.rs`.
    pub(crate) fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = inner.split('/').next().expect("a split has a first part");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Where every path of the file leads, with its line.
    pub(crate) fn targets(&self) -> Vec<(usize, Target)> {
        self.paths.iter().map(|path| (path.line, self.resolve(path, 0))).collect()
    }

    /// Lines that name the crate called `name`.
    pub(crate) fn lines_naming(&self, name: &str) -> Vec<usize> {
        let names = |(line, target): (usize, Target)| (target == Target::Other(name.to_owned())).then_some(line);
        self.targets().into_iter().filter_map(names).collect()
    }

    /// `path:line`, as a message names a place.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    fn own_module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }

    fn resolve(&self, path: &NamedPath, depth: usize) -> Target {
        let mut here = [self.own_module(), path.scope.clone()].concat();
        let mut rest = path.segments.as_slice();
        match rest[0].as_str() {
            "crate" => return Target::Own(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            head if self.modules.iter().any(|module| module == head) => {}
            head => {
                // An import that begins with its own name, such as `use csv::csv`, leads to the crate.
                let imported = self.imports.get(head).filter(|full| full[0] != *head && depth < 4);
                let Some(full) = imported else { return Target::Other(head.to_owned()) };
                let segments = [full.as_slice(), &rest[1..]].concat();
                return self.resolve(&NamedPath { segments, ..path.clone() }, depth + 1);
            }
        }
        Target::Own([here, rest.to_vec()].concat())
    }
}

struct Survey {
    paths: Vec<NamedPath>,
    imports: HashMap<String, Vec<String>>,
    modules: Vec<String>,
}

/// Finds paths, imports and modules in a file.
fn survey(tokens: &[Token]) -> Survey {
    let mut found = Survey { paths: Vec::new(), imports: HashMap::new(), modules: Vec::new() };
    // Inline modules that are open, with the depth of braces outside of each.
    let mut scope: Vec<(String, usize)> = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(token) = tokens.get(at) {
        let next = |offset: usize| tokens.get(at + offset);
        match (token.kind, token.text.as_str()) {
            (Kind::Mark, "{") => depth += 1,
            (Kind::Mark, "}") => {
                depth = depth.saturating_sub(1);
                scope.retain(|(_, outside)| *outside < depth);
            }
            (Kind::Word, "mod") if next(1).is_some_and(|name| name.kind == Kind::Word) => {
                let name = tokens[at + 1].text.clone();
                if next(2).is_some_and(|mark| mark.text == "{") {
                    scope.push((name.clone(), depth));
                }
                found.modules.push(name);
                at += 1;
            }
            // `use<…>` in a type is no import.
            (Kind::Word, "use") if next(1).is_some_and(|mark| mark.text != "<") => {
                let names = scope.iter().map(|(name, _)| name.clone()).collect();
                at = import(tokens, at + 1, &names, &mut found);
            }
            (Kind::Word, _) if begins_path(tokens, at) => {
                let segments = segments(tokens, at);
                let names = scope.iter().map(|(name, _)| name.clone()).collect();
                found.paths.push(NamedPath { line: token.line, segments, scope: names });
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the word at `at` is followed by `::` and is not itself inside a path. `::csv` begins one.
fn begins_path(tokens: &[Token], at: usize) -> bool {
    let text = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |token| token.text.as_str());
    let before = text(at.checked_sub(1));
    let inside = before == "::" && {
        let earlier = at.checked_sub(2).and_then(|at| tokens.get(at));
        earlier.is_some_and(|token| token.kind == Kind::Word || token.text == ">")
    };
    text(Some(at + 1)) == "::" && !inside
}

fn segments(tokens: &[Token], start: usize) -> Vec<String> {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while let [mark, word, ..] = &tokens[at..] {
        if mark.text != "::" || word.kind != Kind::Word {
            break;
        }
        segments.push(word.text.clone());
        at += 2;
    }
    segments
}

/// Reads the tree of a `use` item that starts at `at`; gives the position of what ends it.
fn import(tokens: &[Token], at: usize, scope: &Vec<String>, found: &mut Survey) -> usize {
    let mut prefix: Vec<String> = Vec::new();
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        match (token.kind, token.text.as_str()) {
            (Kind::Word, "as") => {
                at += 1;
                let alias = tokens[at].text.clone();
                found.imports.insert(alias, prefix.clone());
                found.paths.push(NamedPath { line: token.line, segments: prefix, scope: scope.clone() });
                return end_of_leaf(tokens, at + 1);
            }
            (Kind::Word, word) => prefix.push(word.to_owned()),
            (Kind::Mark, "{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = import_below(tokens, at, &prefix, scope, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return end_of_leaf(tokens, at + 1);
            }
            (Kind::Mark, "::") => {}
            (Kind::Mark, "*") => {
                found.paths.push(NamedPath { line: token.line, segments: prefix, scope: scope.clone() });
                return end_of_leaf(tokens, at + 1);
            }
            _ => break,
        }
        at += 1;
    }
    let line = tokens.get(at.saturating_sub(1)).map_or(0, |token| token.line);
    if prefix.last().is_some_and(|last| last == "self") && prefix.len() > 1 {
        prefix.pop();
    }
    if let Some(name) = prefix.last() {
        found.imports.insert(name.clone(), prefix.clone());
        found.paths.push(NamedPath { line, segments: prefix, scope: scope.clone() });
    }
    at
}

/// Reads one branch of `prefix::{…}` by putting the prefix before its words.
fn import_below(tokens: &[Token], at: usize, prefix: &[String], scope: &Vec<String>, found: &mut Survey) -> usize {
    let mut inner = Survey { paths: Vec::new(), imports: HashMap::new(), modules: Vec::new() };
    let end = import(tokens, at, scope, &mut inner);
    let full = |path: &[String]| -> Vec<String> {
        let tail = if path == ["self"] { &[] } else { path };
        [prefix, tail].concat()
    };
    for path in inner.paths {
        found.paths.push(NamedPath { segments: full(&path.segments), ..path });
    }
    for (name, path) in inner.imports {
        let name = if name == "self" { prefix.last().cloned().unwrap_or_default() } else { name };
        found.imports.insert(name, full(&path));
    }
    end
}

fn end_of_leaf(tokens: &[Token], at: usize) -> usize {
    let ends = |token: &Token| token.kind == Kind::Mark && [",", "}", ";"].contains(&token.text.as_str());
    (at..tokens.len()).find(|at| ends(&tokens[*at])).unwrap_or(tokens.len())
}

/// The words, marks and texts of `source`, without comments, lifetimes and characters.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let letters: Vec<char> = source.chars().collect();
    let mut reader = Reader { letters: &letters, at: 0, line: 1, tokens: Vec::new() };
    while reader.at < letters.len() {
        reader.step();
    }
    reader.tokens
}

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.letters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Goes on by `count` letters.
    fn skip(&mut self, count: usize) -> String {
        let end = (self.at + count).min(self.letters.len());
        let passed: String = self.letters[self.at..end].iter().collect();
        self.line += passed.matches('\n').count();
        self.at = end;
        passed
    }

    fn push(&mut self, kind: Kind, text: String, line: usize) {
        self.tokens.push(Token { kind, text, line });
    }

    fn step(&mut self) {
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => drop(self.skip_while(|letter| letter != '\n')),
            ('/', '*') => self.skip_comment(),
            ('"', _) => self.text(),
            ('\'', _) => self.skip_quote(),
            (':', ':') => {
                let text = self.skip(2);
                self.push(Kind::Mark, text, line);
            }
            (letter, _) if is_word(letter) => {
                let word = self.skip_while(is_word);
                self.after_word(word, line);
            }
            (letter, _) => {
                let text = self.skip(1);
                if !letter.is_whitespace() {
                    self.push(Kind::Mark, text, line);
                }
            }
        }
    }

    /// `r`, `b` and `c` before quotes make them texts of their own kind.
    fn after_word(&mut self, word: String, line: usize) {
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        let hashes = self.letters[self.at..].iter().take_while(|letter| **letter == '#').count();
        if raw && self.peek(hashes) == '"' {
            self.raw_text(hashes, line);
        } else if word == "r" && hashes == 1 {
            self.skip(1);
            let name = self.skip_while(is_word);
            self.push(Kind::Word, name, line);
        } else if !(matches!(word.as_str(), "b" | "c") && matches!(self.peek(0), '"' | '\'')) {
            self.push(Kind::Word, word, line);
        }
    }

    fn raw_text(&mut self, hashes: usize, line: usize) {
        self.skip(hashes + 1);
        let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let rest = &self.letters[self.at..];
        let length = rest.windows(end.len()).position(|window| window == end).unwrap_or(rest.len());
        let text = self.skip(length);
        self.skip(end.len());
        self.push(Kind::Text, text, line);
    }

    fn text(&mut self) {
        let line = self.line;
        self.skip(1);
        let mut text = String::new();
        while self.at < self.letters.len() && self.peek(0) != '"' {
            let count = if self.peek(0) == '\\' { 2 } else { 1 };
            text.push_str(&self.skip(count));
        }
        self.skip(1);
        self.push(Kind::Text, text, line);
    }

    /// A character, or a lifetime.
    fn skip_quote(&mut self) {
        self.skip(1);
        if self.peek(0) == '\\' {
            self.skip(2);
            self.skip_while(|letter| letter != '\'');
            self.skip(1);
        } else if self.peek(1) == '\'' {
            self.skip(2);
        } else {
            self.skip_while(is_word);
        }
    }

    fn skip_comment(&mut self) {
        self.skip(2);
        let mut depth = 1;
        while depth > 0 && self.at < self.letters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, _) = (depth + 1, self.skip(2)),
                ('*', '/') => (depth, _) = (depth - 1, self.skip(2)),
                _ => drop(self.skip(1)),
            }
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let count = self.letters[self.at..].iter().take_while(|letter| wanted(**letter)).count();
        self.skip(count)
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
