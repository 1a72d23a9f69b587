"""The model card: what a model was made from, how, how good it is, and where it fails."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.training.metrics import Row, cells


class Material(NamedTuple):
    """What is known of one file that a model was made from."""

    what: str
    parts: Sequence[tuple[str, str]] = ()
    """Names of what it was put together from, and the licences."""


MATERIALS: Mapping[str, Material] = {
    "8a143601b2d68eafc4698ec031ad57f24af6c13a2f5d7703cf081b1f651e2c73": Material(
        "117 million characters of ordinary Chinese text. Not proved free of spun text: a scan for "
        "marker words bounds it at a few per cent in the worst source.",
        (
            ("chinanews, web news", "publisher's copyright, for study"),
            ("xwlb, broadcast news", "repository MIT, text for study"),
            ("nankai_news, university news", "none stated"),
            ("fudan, journal articles", "research"),
            ("terminus_articles, long journalism", "site MIT, texts their authors'"),
            ("literature_essays", "research"),
            ("ruanyf_weekly", "none stated"),
            ("lctt_tech, translated technology articles", "CC BY-SA"),
            ("laws_cn, statutes", "not copyrightable"),
            ("msra_news, newspaper sentences", "research"),
            ("csl_abstracts, science abstracts", "Apache-2.0"),
            ("reviews of shops, hotels and cars", "research"),
        ),
    ),
    "aba937919b0f37f523c75f28014be917a212cccb4882a23b90652272254b24b8": Material(
        "Eight word lists of real spinning tools, merged (s1, the list of the tool that made the "
        "seed, s2, s3, d2w, w12, f42k, i34k, v2k). They overlap heavily.",
        (("public repositories", "none stated: facts to learn from, not files to ship"),),
    ),
    "ecb3b160a63eb00fbe091cdfab854bc2870fd82a932c69387f5b80124dbf97c1": Material(
        "673 pairs read off fifty real spun pages, with how often they were seen."
    ),
    "97b77b6896bd02febc9fead357c71eea7ed7b27103f8e991ff4d01b9ec8c5bfc": Material(
        "385 pairs read by the authors off 49 real pages by some fifteen tools, which the open "
        "lists have not got."
    ),
    "38fd03670614513f53d6eddaad24b625ae785af4aba097617bae4759a4bad272": Material(
        "1,856 pairs of four tools whose lists are nowhere in the open (C, E and U of betting "
        "sites, M of programmers' weblogs), written by the authors from memory of such pages, "
        "after they had read the pairs seen on real ones, which are left out here. Nobody counted "
        "them, and some are wrong. They are used as four lists, with what was seen of the same "
        "tools on real pages."
    ),
    "bd459c8e0fa0b689aec24ea314764b07b1449bf13d709f0c1da39f5bc350fc01": Material(
        "Pairs of synonyms and antonyms from general resources.",
        (
            ("chi-syn, cilin_v3_yaleimeng, antonym_yaleimeng", "MIT"),
            ("cilin_ex", "Apache-2.0 copies"),
            ("jaaack_synonyms, COW_wordnet, antisem_liuhuanyong, guotong_antonym", "none stated"),
        ),
    ),
}
"""By SHA-256, so that the card of a model made from other files claims nothing about them."""

PROCEDURE = """\
1. **Language model.** Character n-grams up to five are counted in all text but a held-out part,
   pruned, and packed into one hashed table.
2. **Embedding.** Vectors of the words of the same text: the truncated singular value decomposition
   of shifted positive pointwise mutual information. Each word's nearest are what tools that go by
   an embedding may write.
3. **Channel.** How likely a spinner is to write a substitute for an original: the lines of the
   lists, our own among them, pairs seen on real pages, neighbours in the embedding; and for pairs
   that nobody lists a back-off, fitted on what a pair looks like. One pair in five, chosen by a
   hash, is kept from the fitting.
4. **Tagger.** A small convolutional network over characters, trained on text that simulated tools
   have spun: by list, by embedding, by thesaurus, at many rates, some in several passes.
5. **Decision.** Boosted symmetric trees on the language model's gain, the channel, the tagger and
   the document's own evidence, in two rounds, fitted on simulated pages of held-out text; on every
   second of them the tagger's opinion is withheld, and half of them are scored by language models
   that have seen no text of their source: so the decision learns that strange is not yet spun. For
   half of the batches only one to three of the lists are known. Longer texts are chosen oftener,
   as pages of the web are longer than the texts. A first, cheap pass with small
   trees of its own decides of which pages the tagger is asked: one set of them weighs all that it
   sees, another only what stands at very odd characters, as lists say nothing of unknown tools.
   What it has seen and what the tagger says decide which pages are read at all.
6. **Document.** A posterior over rates and families of spinners says how much of a page is spun;
   each span is decided given what the others say."""

FIGURES = """\
`make evaluate` measured these. A span counts as found if a flag of probability 0.5 or more overlaps
it. `original_right`: of the right flags, those that give place and original exactly. `ece`:
calibration error of all flags of 0.05 and more, in ten bins. `false_flags_per_1000_han`: on the
pages left clean. `spun_found_at_1_in_1000`: of the spun pages with 300 Han characters and more,
those above all but one in a thousand of the clean ones; in a test of fewer clean pages, above all
of them. `called_spun`: share of the clean pages, short ones too, that are called spun.

Known pairs: substitutions are of lists that the model has. Unseen pairs: substitutions are of the
fold that nothing was fitted on, and the model that judges them has forgotten that any list held
them; so it is with the row `thesaurus`. Every second page is spun. `seed` is a real page, read by
hand, and known to those who built this; all other spun pages are simulated. The texts are of a
corpus that nothing was learned from, and of the half of it that nothing was chosen on; they are not
redistributed either."""

LIMITS = """\
- Substitutions by tools whose lists nobody has are found far less often than listed ones. Figures
  for simulated tools flatter: real ones differ in ways that the simulator does not know.
- Newer tools replace by association, not by synonymy (猜想→庞加莱), or turn the meaning round
  (会→不会): little of that is found, but for a tool of whose pairs several hundred are known.
- A substitute that suits its place as well as the original did is invisible (根本→基本).
- Characters too rare to have an id are never flagged (学校→黉舍).
- Output that a tool replaced again (处理→处置惩罚→措置赏罚) may be found, but not what stood
  there first.
- Short texts say little about themselves: below 300 characters neither a flag nor
  `spun_probability` has a document's evidence behind it.
- Text unlike the training text has more false flags: newspaper sentences joined at random 0.4 for
  each 1,000. With an earlier model, of 670 other pages of the web (571,000 characters)
  news and forums had 0.23, all others less than 0.1; one was called spun. In classical prose so
  little is flagged that spun pages, of which none were measured, may well pass.
- Of substitutions that no list holds more are right than the probabilities say.
- A page whose substitutions are not seen has a `spun_probability` near 0. That is no evidence of
  its being clean.
- A word that lists write, in its right place on a page that has other odd words, may be flagged.
- Deleted 一 are not found. Shuffled paragraphs are a matter of `normalise`, not of this model.
- A flag is a probability about a text, no proof against a person: do not judge authors by it."""


def card_markdown(rows: Sequence[Row], card: Mapping[str, Any]) -> str:
    """The model's `card.json` and the figures of its evaluation, for people to read."""
    parts = [
        "# Model card",
        "Finds words that a machine put in the place of others (伪原创) in Chinese text. For the "
        f"cleaning of corpora, inside this pipeline. Format {card.get('format', 'unknown')}.",
        "## Data",
        "None of it is redistributed, but for what the authors wrote; the model holds counts, "
        "weights and pairs of words.",
        *(_material(name, digest) for name, digest in card.get("made_from", {}).items()),
        *(_answers(name, digest) for name, digest in card.get("annotations", {}).items()),
        "## Procedure",
        PROCEDURE,
        _settings(card.get("settings", {})),
        card.get("note", ""),
        "## Figures",
        FIGURES,
        _table([Row._fields, *map(cells, rows)]),
        "## Known failures and limits",
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _material(name: str, digest: str) -> str:
    known = MATERIALS.get(digest)
    lines = [f"`{name}`, SHA-256 `{digest}`", "", known.what if known else "Nothing more is known."]
    if known and known.parts:
        lines += ["", _table([("from", "licence"), *known.parts])]
    return "\n".join(lines)


def _answers(name: str, digest: str) -> str:
    return (
        f"`{name}`, SHA-256 `{digest}`\n\nAnswers of people about flags on real pages, gathered by"
        " `python -m pipeline import`; the decision was fitted on them, too."
    )


def _settings(settings: Mapping[str, Any]) -> str:
    named = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"Settings: {named}." if named else ""


def _table(lines: Sequence[Sequence[str]]) -> str:
    header, *others = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([header, "|" + "---|" * len(lines[0]), *others])
