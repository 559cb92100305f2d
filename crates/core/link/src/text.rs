/// The most characters (Unicode scalar values) of a display name.
pub const MAX_NAME_CHARS: usize = 64;

/// The most characters (Unicode scalar values) of a meeting's title.
pub const MAX_TITLE_CHARS: usize = 128;

/// Makes a display name fit to be shown: one line, no control characters, nothing that turns the
/// direction of the text around it, at most [`MAX_NAME_CHARS`]. May be empty.
pub fn clean_name(name: &str) -> String {
    clean(name, MAX_NAME_CHARS)
}

/// Makes a title fit to be shown, as [`clean_name`] does, with at most [`MAX_TITLE_CHARS`].
pub fn clean_title(title: &str) -> String {
    clean(title, MAX_TITLE_CHARS)
}

/// Removes what is not shown, trims, cuts, and trims what the cut laid bare.
fn clean(text: &str, max_chars: usize) -> String {
    let shown: String = text.chars().filter(|&c| !is_removed(c)).collect();
    let cut: String = shown.trim().chars().take(max_chars).collect();
    cut.trim_end().to_owned()
}

/// Control characters, separators of lines and paragraphs, the byte order mark, and the marks,
/// embeddings, overrides and isolates of bidirectional text (UAX #9).
fn is_removed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
