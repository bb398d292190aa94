//! How analysed words reach the engine: as a text with one word and its position a line, read by a tokenizer that only
//! splits lines. The engine's own form for words that are analysed already goes through JSON, once there and once back,
//! for every record, which took more processor time than the analysis.

use std::fmt::Write;
use std::str::SplitTerminator;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

/// The tokenizer's name in the schema.
pub(crate) const TOKENIZER: &str = "analysed";

/// Returns the engine's tokenizers with the one for analysed words.
pub(crate) fn tokenizers() -> TokenizerManager {
    let tokenizers = TokenizerManager::default();
    tokenizers.register(TOKENIZER, Analysed);
    tokenizers
}

/// Words of one field, ready for the engine.
#[derive(Debug, Default)]
pub(crate) struct AnalysedText(String);

impl AnalysedText {
    /// Adds a word, which holds no line end: words are made of letters, digits and marks.
    pub(crate) fn push(&mut self, position: usize, word: &str) {
        debug_assert!(!word.contains('\n'), "a word with a line end would be two");
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{position}\t{word}");
    }

    /// Returns the text that [`Analysed`] reads.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads what [`AnalysedText`] wrote.
#[derive(Clone)]
struct Analysed;

impl Tokenizer for Analysed {
    type TokenStream<'a> = Lines<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Lines<'a> {
        Lines { lines: text.split_terminator('\n'), token: Token::default() }
    }
}

struct Lines<'a> {
    lines: SplitTerminator<'a, char>,
    token: Token,
}

impl TokenStream for Lines<'_> {
    fn advance(&mut self) -> bool {
        let Some((position, word)) = self.lines.next().and_then(|line| line.split_once('\t')) else { return false };
        let Ok(position) = position.parse() else { return false };
        self.token.position = position;
        self.token.position_length = 1;
        self.token.text.clear();
        self.token.text.push_str(word);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let words = [(0, "aladin"), (0, "sky\tatlas"), (107, ""), (1_000_000, "étoile 星")];
        let mut text = AnalysedText::default();
        for (position, word) in words {
            text.push(position, word);
        }
        let mut read = Vec::new();
        Analysed.token_stream(text.as_str()).process(&mut |token| read.push((token.position, token.text.clone())));
        assert_eq!(read, words.map(|(position, word)| (position, word.to_owned())));
        assert!(!Analysed.token_stream("").advance());
    }
}
