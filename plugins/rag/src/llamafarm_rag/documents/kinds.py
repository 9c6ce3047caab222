"""Which files are read, and as what."""

from __future__ import annotations

from pathlib import Path

from llamafarm_rag.config.processing import Kind, ParserOptions, ProcessingStrategy

EXTENSIONS: dict[Kind, tuple[str, ...]] = {
    "text": (".txt", ".text", ".rst", ".log", ".adoc", ".asciidoc", ".org", ".tex"),
    "markdown": (".md", ".markdown", ".mdown", ".mkd", ".mdx"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
    "docx": (".docx",),
    "csv": (".csv", ".tsv"),
    "json": (".json", ".jsonl", ".ndjson"),
    "code": (),
}
"""What the files of each kind are called. Those of code are the keys of LANGUAGES."""
LANGUAGES = {
    ".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript",
    ".jsx": "javascript", ".ts": "typescript", ".tsx": "typescript", ".java": "java", ".kt": "kotlin",
    ".scala": "scala", ".c": "c", ".h": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".hpp": "c++", ".cs": "c#",
    ".go": "go", ".rs": "rust", ".rb": "ruby", ".php": "php", ".swift": "swift", ".m": "objective-c", ".lua": "lua",
    ".pl": "perl", ".r": "r", ".jl": "julia", ".hs": "haskell", ".ml": "ocaml", ".ex": "elixir", ".exs": "elixir",
    ".erl": "erlang", ".clj": "clojure", ".dart": "dart", ".sh": "shell", ".bash": "shell", ".zsh": "shell",
    ".ps1": "powershell", ".bat": "batch", ".sql": "sql", ".css": "css", ".scss": "css", ".vue": "vue",
    ".svelte": "svelte", ".proto": "protobuf", ".graphql": "graphql", ".tf": "terraform", ".cmake": "cmake",
    ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".ini": "ini", ".cfg": "ini", ".xml": "xml",
}  # fmt: skip
"""The language of code, by extension."""
LOCK_FILES = frozenset({
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "uv.lock", "pipfile.lock",
    "cargo.lock", "composer.lock", "gemfile.lock", "go.sum", "packages.lock.json", "flake.lock",
})  # fmt: skip
"""What programs write for themselves: long, and nobody asks questions on it."""
_NAMES: dict[str, Kind] = {
    **dict.fromkeys(
        ("readme", "changelog", "changes", "news", "license", "licence", "notice", "authors", "todo"), "text"
    ),
    **dict.fromkeys(("makefile", "dockerfile"), "code"),
}
"""Files that have no extension."""
_KINDS: dict[str, Kind] = {
    **{extension: kind for kind, extensions in EXTENSIONS.items() for extension in extensions},
    **dict.fromkeys(LANGUAGES, "code"),
}


def kind_of(path: Path) -> Kind | None:
    """The kind of a file by its name, or None where that does not tell."""
    return _KINDS.get(path.suffix.lower()) if path.suffix else _NAMES.get(path.name.lower())


def parser_of(path: Path, processing: ProcessingStrategy) -> ParserOptions | None:
    """The parser of a strategy that reads a file, or None where no parser of it does.

    A strategy without parsers has one for each kind. Of several, the one with the highest priority reads it, and of
    these the first.
    """
    if not processing.parsers:
        kind = kind_of(path)
        return ParserOptions(type=kind) if kind else None
    reading = [parser for parser in processing.parsers if _reads(parser, path)]
    return max(reading, key=lambda parser: parser.priority, default=None)


def is_read(path: Path, processing: ProcessingStrategy) -> bool:
    """Whether a file that lies in a folder of a dataset is one of its documents.

    Hidden files are not, nor what programs write for themselves, nor what no parser of the strategy reads. A parser
    that names the file by a pattern reads a hidden one, too.
    """
    if path.name.startswith(".") or path.name.lower() in LOCK_FILES:
        return any(_matches(parser.file_include_patterns, path) for parser in processing.parsers)
    return parser_of(path, processing) is not None


def _reads(parser: ParserOptions, path: Path) -> bool:
    if _matches(parser.file_include_patterns, path):
        return True
    if parser.file_extensions:
        return path.suffix.lower() in {f".{extension.lower().lstrip('.')}" for extension in parser.file_extensions}
    return not parser.file_include_patterns and kind_of(path) == parser.type


def _matches(patterns: list[str], path: Path) -> bool:
    return any(path.match(pattern) for pattern in patterns)
