// The texts: searched, filtered, sorted and drawn from the data in the page, a few at a time.
const AT_A_TIME = 5;
const STRONGEST = 3;
const SHADES = 8;
const MARKED = 1;
const UNREAD = 2;

function exploreTexts(data, part) {
  const control = (name) => part.querySelector(`[name=${name}]`);
  const [search, group, label, wrong, order] = ["search", "group", "label", "wrong", "order"].map(control);
  const boxes = [...part.querySelectorAll("[name=explainer]")];
  const [status, list, more] = ["#text-count", "#text-list", "#text-more"].map((name) => part.querySelector(name));
  const written = (text) => text.pieces.map((pieces) => pieces.map((piece) => piece[0]).join("")).join(" / ");
  const haystacks = new Map(data.texts.map((text) => [text, `${text.id} ${written(text)}`.toLowerCase()]));
  const labelsOf = (text) => [...new Set([...(text.gold ?? []), ...text.predicted])];
  const apart = (text) => Math.max(-1, ...text.said.map((of) => of.disagreement ?? -1));
  let found = [];
  let drawn = 0;

  data.groups.forEach((title, place) => group.append(make("option", { value: place }, title)));
  [...new Set(data.texts.flatMap(labelsOf))].sort().forEach((name) => label.append(make("option", { value: name }, name)));

  const number = (value, signed) => {
    if (value === null) return "–";
    const digits = String(Math.abs(value));
    return value < 0 ? `−${digits}` : signed && value > 0 ? `+${digits}` : digits;
  };
  // The class of a score: its sign, if it has one, and eighths of the largest of its line.
  const shade = (value, largest, signed) => {
    const step = largest > 0 ? Math.round((SHADES * Math.abs(value)) / largest) : 0;
    return step ? `${signed ? (value > 0 ? "for" : "against") : "size"}${step}` : "";
  };
  const listed = (names) => (names.length ? names.join(", ") : "none");
  const wordsOf = (text) => {
    const words = [];
    for (const pieces of text.pieces) for (const [characters, word] of pieces) {
      if (word >= 0) words[word] = (words[word] ?? "") + characters;
    }
    return words;
  };

  // Without colours where nothing is told apart.
  function coloured(text, scores, signed, constant = false) {
    const largest = constant ? 0 : Math.max(0, ...scores.map(Math.abs));
    return text.pieces.map((pieces) => make("span", { className: "words", dir: "auto" }, ...pieces.map(
      ([characters, word, flags]) => {
        const score = word < 0 ? null : scores[word] ?? null;
        const classes = [score === null ? "" : shade(score, largest, signed), flags & UNREAD ? "unread" : ""];
        const className = classes.filter(Boolean).join(" ");
        if (!className && score === null && !(flags & MARKED)) return characters;
        const title = score === null ? {} : { title: number(score, signed) };
        return make(flags & MARKED ? "mark" : "span", { className, ...title }, characters);
      })));
  }

  function line(text, words, [place, scores], constant) {
    const { title, signed } = data.methods[place];
    const strongest = scores.map((score, at) => [score, words[at]]).filter(([score]) => score)
      .sort(([a], [b]) => Math.abs(b) - Math.abs(a)).slice(0, STRONGEST)
      .map(([score, word]) => `${word} ${number(score, signed)}`);
    const told = constant ? "constant: every token has the same score" : `strongest: ${strongest.join(", ")}`;
    return make("div", { className: "line" }, make("dt", {}, title),
      make("dd", {}, ...coloured(text, scores, signed, constant),
        make("span", { className: "strongest" }, strongest.length ? told : "all scores are 0")));
  }

  // Every score in a table, made when it is asked for.
  function table(words, lines, about) {
    const details = make("details", { className: "all-scores" }, make("summary", {}, "All scores as a table"));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const cell = (tag, content, number) => {
        const element = make(tag, number ? { className: "number" } : {}, content);
        if (tag === "th") element.scope = number === undefined ? "row" : "col";
        return element;
      };
      const head = make("tr", {}, cell("th", "word", false),
        ...lines.map(([place]) => cell("th", data.methods[place].title, true)));
      const rows = words.map((word, at) => make("tr", {}, cell("th", word), ...lines.map(([place, scores]) =>
        cell("td", number(scores[at], data.methods[place].signed), true))));
      const box = make("div", { className: "box", tabIndex: 0 },
        make("table", { className: "narrow" }, make("thead", {}, head), make("tbody", {}, ...rows)));
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", `Scores of every word, ${about}`);
      details.append(box);
    });
    return details;
  }

  function article(text, place) {
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = wordsOf(text);
    const outcome = make("p", { className: "outcome" });
    if (text.gold) outcome.append("Label ", make("b", {}, listed(text.gold)), ", ");
    outcome.append("predicted ", make("b", {}, listed(text.predicted)), " ");
    if (text.wrong) outcome.append(make("span", { className: "wrong" }, "wrong"), " ");
    const told = text.probabilities.map(([name, value]) => `${name} ${value.toFixed(3)}`).join(", ");
    outcome.append(make("span", { className: "probabilities" }, told));
    const heading = make("h3", { id: `text-${place}`, tabIndex: -1 }, make("span", { className: "place" }, `${place}. `), text.id);
    if (data.groups.length > 1) heading.append(" ", make("span", { className: "where" }, data.groups[text.group]));
    const element = make("article", {}, heading, outcome);
    element.setAttribute("aria-labelledby", heading.id);
    for (const { target, disagreement, constant, lines } of text.said) {
      const kept = lines.filter(([at]) => shown.has(data.methods[at].explainer));
      const about = make("p", { className: "target" }, "What speaks for ", make("b", {}, target));
      if (disagreement !== null) about.append(` (disagreement ${disagreement.toFixed(2)})`);
      element.append(about, make("dl", { className: "lines" }, ...kept.map((one) => line(text, words, one, constant.includes(one[0])))));
      if (kept.length) element.append(table(words, kept, `text ${place}, ${target}`));
    }
    if (!text.said.length) element.append(make("p", { className: "target" }, "No explainer has finished this text."),
      make("div", {}, ...coloured(text, [], true)));
    return element;
  }

  function draw(count) {
    for (; drawn < Math.min(count, found.length); drawn++) list.append(article(found[drawn], drawn + 1));
    more.hidden = drawn >= found.length;
    more.textContent = `Show ${Math.min(AT_A_TIME, found.length - drawn)} more`;
    status.textContent = found.length ? `${drawn} of ${found.length} that match are below.` : "No text matches.";
  }

  function choose() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = data.texts.filter((text) =>
      (!group.value || text.group === Number(group.value)) && (!label.value || labelsOf(text).includes(label.value)) &&
      (!wrong.checked || text.wrong) && words.every((word) => haystacks.get(text).includes(word)));
    if (order.value === "disagreement") found.sort((a, b) => apart(b) - apart(a));
    list.replaceChildren();
    drawn = 0;
    draw(AT_A_TIME);
  }

  group.closest("label").hidden = data.groups.length < 2;
  wrong.closest("label").hidden = !data.texts.some((text) => text.wrong);
  search.addEventListener("input", choose);
  for (const each of [group, label, wrong, order, ...boxes]) each.addEventListener("change", choose);
  more.addEventListener("click", () => {
    const next = drawn + 1;
    draw(drawn + AT_A_TIME);
    document.getElementById(`text-${next}`).focus();
  });
  part.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  part.querySelector("form").hidden = false;
  choose();
}

const texts = document.getElementById("text-data");
if (texts) exploreTexts(JSON.parse(texts.textContent), document.getElementById("explorer"));
