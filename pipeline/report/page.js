"use strict";
// Every text in `data` may be a stranger's. It reaches the page through `put` alone, as text:
// nothing here parses HTML, and the page's policy (Trusted Types) would stop it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { totals, thresholds } = data;
  const byId = new Map(data.documents.map((d) => [d.doc_id, d]));
  const $ = (id) => document.getElementById(id);
  const fill = (name) => document.querySelector(`[data-fill="${name}"]`);

  // Controls, what turns the direction of text, what has no width: shown by their code.
  const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/u;

  // Without a prototype: a stranger may name something `constructor`.
  const REASONS = { __proto__: null,
    bad_row: "表格行与列不符", binary_file: "二进制文件，不是文本", changed: "读取时文件变动或消失",
    decompression_bomb: "压缩包膨胀过大", empty_file: "空文件", empty_text: "正文为空",
    invalid_json: "不是合法的 JSON", lone_surrogate: "含半个 UTF-16 代理对", missing_text: "没有正文字段",
    no_content: "网页没有正文", not_a_page: "存档记录不是网页", not_an_object: "JSON 不是对象",
    too_large: "超过长度上限", truncated: "压缩文件中断", undecodable: "无法解码",
    unreadable: "文件无法读取", unsupported_format: "不支持的格式",
  };
  const STRATA = { __proto__: null,
    spun: ["疑为伪原创", "spun_probability ≥ 0.5"], doubtful: ["可疑", "spun_probability 0.1–0.5"],
    flagged: ["有标记", "flags, though not called spun"], injected: ["插入广告", "injected"],
    odd: ["形态异常", "damaged, repetitive, few Han, or perplexity > 300"], plain: ["未见异常", "nothing found"],
  };
  const ROLES = { __proto__: null, title: "标题", metadata: "元数据", body: "正文", boilerplate: "页面套话", injected: "插入" };
  const KINDS = { __proto__: null, substitution: "替换", variant: "异体字", injection: "插入广告" };
  const SCRIPTS = { __proto__: null, Hans: "简体", Hant: "繁体", mixed: "混用" };

  // --- the page, from text

  function put(node, text) {
    let plain = "";
    for (const char of String(text ?? "")) {
      if (!INVISIBLE.test(char)) { plain += char; continue; }
      if (plain) node.append(plain);
      plain = "";
      const code = document.createElement("span");
      code.className = "control";
      code.textContent = "U+" + char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      node.append(code);
    }
    if (plain) node.append(plain);
    return node;
  }

  function make(tag, name, ...children) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    for (const child of children) if (child != null) node.append(child);
    return node;
  }
  const foreign = (text, tag = "span") => put(make(tag, "text"), text);
  const english = (text) => { const node = make("small", "", text); node.lang = "en"; return node; };
  const both = (chinese, text) => [chinese + " ", english(text)];
  const count = (n) => n.toLocaleString("en-US");
  const percent = (x, digits = 1) => x == null ? "–" : (100 * x).toFixed(digits) + "%";
  const figure = (x) => x == null ? "–" : String(Math.round(x * 1000) / 1000);
  const pair = (surface, suggestion) =>
    make("span", "pair", foreign(surface), " → ", suggestion ? foreign(suggestion) : "∅");

  function table(heads, rows) {
    const head = make("tr");
    heads.forEach(([chinese, text, kind]) => {
      const cell = make("th", kind || "", ...both(chinese, text));
      cell.scope = "col";
      head.append(cell);
    });
    const body = make("tbody");
    for (const cells of rows) {
      const row = make("tr");
      cells.forEach((cell, at) => row.append(make("td", heads[at][2] || "", ...[cell].flat())));
      body.append(row);
    }
    const scroll = make("div", "scroll", make("table", "", make("thead", "", head), body));
    if (rows.length > 15) {  // what scrolls must be reachable by keyboard
      scroll.tabIndex = 0;
      scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", heads[0].slice(0, 2).join(" "));
    }
    return scroll;
  }

  function shares(items, names) {
    const total = items.reduce((sum, [, n]) => sum + n, 0) || 1;
    return table([["名称", "Name"], ["数", "Count", "n"], ["占比", "Share", "wide"]], items.map(([name, n]) => {
      const bar = make("span", "share");
      bar.style.width = (100 * n / total).toFixed(2) + "%";
      return [[foreign(name || "(无 none)"), names && names[name] ? " " + names[name] : ""], count(n), [percent(n / total), bar]];
    }));
  }

  function link(id) {
    const document_ = byId.get(id);
    if (!document_) return foreign(id.slice(0, 12));
    const node = make("a", "text");
    node.href = "#d-" + id;
    return put(node, document_.title || document_.source);
  }

  // --- sections

  function overview() {
    const card = (value, chinese, text, alert) => {
      const number = make("b", "", value);
      if (value.length > 9) number.style.fontSize = `${12 / value.length}rem`;  // fits a phone
      return make("div", alert ? "card alert" : "card", number, make("span", "", ...both(chinese, text)));
    };
    fill("cards").append(
      card(count(totals.documents), "篇文档", "documents"),
      card(count(totals.rejects), "条拒收", "rejected", totals.rejects > 0),
      card(percent(totals.documents ? totals.spun / totals.documents : 0), "疑为伪原创", `spun: ${count(totals.spun)}`, totals.spun > 0),
      card(count(totals.flags), `处标记（≥ ${thresholds.flag}）`, "flags"),
      card(count(totals.han), "汉字", `Han, of ${count(totals.chars)} characters`),
      card(count(totals.sentences), "句", `sentences, ${percent(totals.sentences ? totals.sentences_flagged / totals.sentences : 0)} flagged`),
      card(count(totals.duplicates), "篇全同重复", "exact duplicates"),
      card(count(totals.damaged), "篇有坏字节", "with damaged bytes"),
    );
  }

  function incoming() {
    const box = fill("rejects");
    box.append(make("p", "", `收到 ${count(totals.rows_in)} 条：${count(totals.documents)} 篇文档，${count(totals.rejects)} 条拒收。 `,
      english(`${count(totals.rows_in)} records in = ${count(totals.documents)} documents + ${count(totals.rejects)} rejects.`)));
    if (data.rejects.length) box.append(table(
      [["原因", "Reason"], ["条数", "Count", "n"], ["例子", "Examples", "wide"]],
      data.rejects.map((r) => {
        const list = make("details", "", make("summary", "", `${r.examples.length}`));
        for (const [source, record, detail] of r.examples)
          list.append(make("p", "example", foreign(source), record == null ? "" : ` [${record}]`, " — ", foreign(detail)));
        return [[(REASONS[r.reason] || "") + " ", foreign(r.reason, "code")], count(r.count), [list]];
      })));
    fill("suffix").append(shares(data.names.suffix));
    fill("encoding").append(shares(data.names.encoding));
    fill("script").append(shares(data.names.script, SCRIPTS));
    fill("kind").append(shares(data.names.kind, KINDS));
    fill("role").append(shares(data.names.role, ROLES));
  }

  function spun() {
    const rate = percent(totals.spin_rate_median);
    fill("spun").append(
      `${count(totals.documents)} 篇中有 ${count(totals.spun)} 篇疑为伪原创（概率 ≥ ${thresholds.spun}），其替换率中位数 ${rate}。 `,
      english(`${count(totals.spun)} of ${count(totals.documents)} documents are probably spun (≥ ${thresholds.spun}); median spin rate ${rate}.`));
    for (const node of document.querySelectorAll("[data-median]")) {
      const { median, known } = data.signals[node.dataset.median];
      if (known) node.append(make("small", "", `中位数 median ${figure(median)}`));
    }
    if (totals.sentence_median != null)
      fill("sentence-median").append(make("small", "", `中位数 median ${figure(totals.sentence_median)}`));
  }

  function substitutions() {
    const forgotten = data.pairs_forgotten;
    fill("pairs-note").append(
      `概率 ≥ ${thresholds.flag} 的标记，共 ${count(data.pairs_seen)} 种，列出最多的 ${data.pairs.length} 种；例子取最先遇到的三篇。 `,
      english(`Flags of ${thresholds.flag} and more: ${count(data.pairs_seen)} different, the ${data.pairs.length} most frequent shown; examples are the first found.`),
      forgotten ? english(` ${count(forgotten)} flags of rare ones were not kept apart: counts are lower bounds.`) : "");
    const draw = () => {
      const wanted = $("pair-search").value.trim();
      const rows = data.pairs.filter((p) => p.surface.includes(wanted) || p.suggestion.includes(wanted));
      fill("pairs").replaceChildren(table(
        [["替换", "As it stands → original"], ["次数", "Flags", "n"], ["文档", "Documents", "n"], ["平均概率", "Mean probability", "n"], ["例子", "Examples", "wide"]],
        rows.map((p) => [pair(p.surface, p.suggestion), count(p.flags), count(p.documents), p.probability.toFixed(2), examples(p)])));
    };
    $("pair-search").addEventListener("input", draw);
    draw();
  }

  function examples(p) {
    const lines = p.examples.map((e) => {
      const line = make("div", "example text");
      put(line, "…" + e.before);
      line.append(foreign(e.surface, "mark"));
      put(line, e.after + "…");
      return line;
    });
    if (lines.length < 2) return lines;
    return [lines[0], make("details", "", make("summary", "", ...both(`另 ${lines.length - 1} 例`, "more")), ...lines.slice(1))];
  }

  function vocabularies() {
    const c = data.compared;
    fill("vocabularies-note").append(
      `两篇文档里都被替换的词，若多半换成同一个词，就归为一组：可能出自同一工具，但不是证据，各家词表本来互有重叠。` +
      `${count(c.spun)} 篇疑似文档中抽取 ${count(c.chosen)} 篇，${count(c.compared)} 篇有足够替换可比，${count(c.grouped)} 篇归入 ${count(c.groups)} 组。 `,
      english(`Documents that replace the same words in the same way. Perhaps one tool, but no proof of it: lists overlap. ` +
        `Of ${count(c.spun)} spun documents ${count(c.chosen)} were chosen by hash, ${count(c.compared)} had enough substitutions to compare, ${count(c.grouped)} fell into ${count(c.groups)} groups.`));
    const box = fill("vocabularies");
    data.vocabularies.forEach((group, at) => {
      const pairs = make("ul", "chips");
      for (const [surface, original, inside, outside] of group.pairs) {
        const chip = make("li", "", pair(surface, original), english(` ${inside}/${group.documents}`));
        chip.title = `本组 ${inside} 篇，其他 ${outside} 篇 · in ${inside} of the group, ${outside} of the others`;
        pairs.append(chip);
      }
      const members = make("ul", "chips");
      for (const id of group.members) members.append(make("li", "", link(id)));
      box.append(make("div", "group",
        make("h3", "", `第 ${at + 1} 组：${group.documents} 篇 `, english(`group ${at + 1}, ${group.documents} documents, mean agreement ${percent(group.agreement, 0)}`)),
        pairs, make("details", "", make("summary", "", ...both("其中的文档", "some of its documents")), members)));
    });
  }

  // --- documents to read

  function sampling() {
    const kept = data.documents.length;
    fill("sampling").append(
      make("p", "", `按下列种类依次归类，每类取 doc_id（散列值）最小的若干篇，共 ${count(kept)} 篇；正文只显示前 ${count(data.shown_chars)} 字。每次生成结果相同。 `,
        english(`A document belongs to the first kind that fits. Of each kind those with the lowest doc_id, which is a hash, are shown: ${count(kept)} in all, the first ${count(data.shown_chars)} characters of each. The same tables give the same sample.`)),
      table([["种类", "Kind"], ["总数", "In the corpus", "n"], ["此处", "Here", "n"]],
        data.strata.map((s) => [both(...STRATA[s.name]), count(s.documents), count(s.shown)])));
  }

  const ORDERS = {
    interest: ["种类", "kind", () => 0],
    rate: ["替换率", "spin rate", (d) => -d.spin_rate],
    flags: ["标记数", "flags", (d) => -d.n_flags],
    perplexity: ["困惑度", "perplexity", (d) => -(d.perplexity ?? 0)],
    length: ["长度", "length", (d) => -d.n_chars],
  };

  function option(select, value, label) {
    const node = make("option", "", label);
    node.value = value;
    select.append(node);
  }

  for (const d of data.documents) {
    const flags = d.flags.map((f) => f[5] + "\n" + f[6].map((s) => s[0]).join("\n")).join("\n");
    d.searched = [d.doc_id, d.title, d.source, d.url, d.publisher, d.text, flags].join("\n").toLowerCase();
  }

  function list() {
    const wanted = $("search").value.trim().toLowerCase();
    const stratum = $("stratum").value;
    const found = data.documents
      .filter((d) => (!stratum || d.stratum === stratum) && d.searched.includes(wanted))
      .sort((a, b) => ORDERS[$("order").value][2](a) - ORDERS[$("order").value][2](b));
    $("found").textContent = `${found.length} / ${data.documents.length} 篇 documents`;
    $("list").replaceChildren(...found.map((d) => {
      const item = make("a", "item", foreign(d.title || d.source, "b"),
        make("span", "", `${STRATA[d.stratum][0]} · ${percent(d.spin_rate)} · ${count(d.n_flags)} 处 flags`));
      item.href = "#d-" + d.doc_id;
      item.setAttribute("role", "listitem");
      if (d === current) item.setAttribute("aria-current", "true");
      return item;
    }));
    return found;
  }

  let current = null;

  function facts(d) {
    const rows = [
      ["来源", "source", foreign(`${d.source} [${d.record}]`)], ["网址", "url", d.url && foreign(d.url)],
      ["发布", "published", [d.published_at, d.publisher].some(Boolean) && foreign([d.published_at, d.publisher].filter(Boolean).join(" · "))],
      ["伪原创", "spun", `${figure(d.spun_probability)}，替换率 spin rate ${percent(d.spin_rate)}，${count(d.n_flags)} 处 flags`],
      ["规模", "size", `${count(d.n_chars)} 字 characters，${count(d.n_han)} 汉字 Han`],
      ["质量", "quality", `汉字 Han ${percent(d.han_share)} · 标点 punctuation ${percent(d.punctuation_share)} · 重复 repeated ${percent(d.line_repetition)} · 句长 sentence ${figure(d.mean_sentence_chars)} · 困惑度 perplexity ${figure(d.perplexity)} · 插入 injected ${percent(d.injected_share)}`],
      ["读取", "decoding", foreign(`${d.encoding} · ${d.script}` + (d.damaged ? ` · ${d.damaged} 坏字节 damaged bytes` : ""))],
      ["重复于", "duplicate of", d.duplicate_of && link(d.duplicate_of)],
    ];
    const node = make("dl", "facts");
    for (const [chinese, text, value] of rows)
      if (value) node.append(make("dt", "", ...both(chinese, text)), make("dd", "", value));
    return node;
  }

  // Offsets are code points, and a string of this language counts otherwise.
  function sides(d) {
    const chars = Array.from(d.text), least = Number($("least").value);
    const left = make("div", "body"), right = make("div", "body");
    let done = 0, wrote = 0;
    d.flags.forEach((flag, at) => {
      const [start, end, probability, kind, , suggestion] = flag;
      const between = chars.slice(done, start).join(""), surface = chars.slice(start, end).join("");
      put(left, between); put(right, between);
      done = end;
      let mark = null;
      if (probability >= least) {
        mark = put(make("mark", `flag ${kind in KINDS ? kind : ""} p${level(probability)}`), surface);
        mark.tabIndex = 0;
        mark.dataset.at = at;
        mark.setAttribute("aria-describedby", "tip");
        left.append(mark);
      } else put(left, surface);
      if (probability >= thresholds.restore) {
        const put_in = put(make("mark", suggestion ? "new" : "gone"), suggestion);
        put_in.dataset.at = at;
        right.append(put_in);
        wrote += 1;
      } else put(right, surface);
    });
    const rest = chars.slice(done).join("");
    put(left, rest); put(right, rest);
    if (d.n_chars > chars.length) for (const side of [left, right])
      side.append(make("p", "note", `…… 余 ${count(d.n_chars - chars.length)} 字未显示 `, english("the rest is not shown")));
    const side = (node, chinese, text) => make("div", "side", make("h3", "", ...both(chinese, text)), node);
    return make("div", "sides", side(left, "原文", "as it stands"),
      side(right, `还原（${wrote} 处，≥ ${thresholds.restore}）`, "restored"));
  }

  const level = (p) => p >= 0.95 ? 4 : p >= 0.8 ? 3 : p >= 0.5 ? 2 : p >= 0.3 ? 1 : 0;

  function legend() {
    const node = make("p", "legend", "概率 probability: ");
    [[0.05, "0.05"], [0.3, "0.3"], [0.5, "0.5"], [0.8, "0.8"], [0.95, "0.95+"]].forEach(([p, label]) =>
      node.append(make("mark", `flag p${level(p)}`, label), " "));
    node.append(make("mark", "flag variant p3", "异体 variant"), " ", make("mark", "flag injection p3", "插入 injection"),
      " · 悬停、点按或用 Tab 键查看建议与依据 ", english("hover, tap or Tab for suggestion and evidence; Esc closes"));
    return node;
  }

  function show(d, focus) {
    hide();
    current = d;
    const box = $("document");
    if (!d) { box.replaceChildren(); return; }
    box.replaceChildren(foreign(d.title || d.source, "h3"), facts(d), legend(), sides(d));
    for (const item of $("list").children)
      item.getAttribute("href") === "#d-" + d.doc_id ? item.setAttribute("aria-current", "true") : item.removeAttribute("aria-current");
    if (focus) { box.focus({ preventScroll: true }); box.scrollIntoView({ block: "start" }); }
  }

  // --- the evidence, on hover and focus

  const EVIDENCE = [["语言模型增益", "gain, nats"], ["替换先验", "channel, nats"], ["全文佐证", "document, nats"],
    ["该词出现", "surface_count"], ["建议词出现", "suggestion_count"]];
  let lit = [], timer = 0, shown = null;

  function explain(mark) {
    const flag = current && current.flags[Number(mark.dataset.at)];
    if (!flag) return;
    hide();
    const [start, end, probability, kind, detector, suggestion, suggestions, evidence] = flag;
    const surface = Array.from(current.text).slice(start, end).join("");
    const tip = $("tip");
    tip.replaceChildren(
      make("p", "", pair(surface, suggestion), ` ${probability.toFixed(3)}`),
      make("p", "note", `${KINDS[kind] || kind} ${kind} · 检测器 detector `, foreign(detector)),
      suggestions.length > 1 || kind === "injection" ? table([["建议", "Suggestion"], ["其概率", "its probability", "n"]],
        suggestions.map(([text, p]) => [foreign(text || "∅"), figure(p)])) : "",
      table([["依据", "Evidence"], ["值", "Value", "n"]], EVIDENCE.map(([chinese, text], at) => [both(chinese, text), figure(evidence[at])])));
    tip.hidden = false;
    shown = mark;
    place();
    lit = [...$("document").querySelectorAll(`mark[data-at="${mark.dataset.at}"]`)];
    lit.forEach((node) => node.classList.add("lit"));
  }

  function place() {
    const tip = $("tip");
    const at = shown.getClientRects()[0] || shown.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const below = at.bottom + 6 + size.height <= innerHeight;
    tip.style.left = Math.max(8, Math.min(at.left, innerWidth - size.width - 8)) + "px";
    tip.style.top = Math.max(8, below ? at.bottom + 6 : at.top - size.height - 6) + "px";
    const put_at = tip.getBoundingClientRect();  // on a narrow screen at its foot, whatever is there
    if (shown === document.activeElement && at.top < put_at.bottom && at.bottom > put_at.top)
      scrollBy({ top: at.bottom - put_at.top + 12, behavior: "instant" });
  }

  function hide() {
    clearTimeout(timer);
    shown = null;
    $("tip").hidden = true;
    lit.forEach((node) => node.classList.remove("lit"));
    lit = [];
  }
  const later = () => { clearTimeout(timer); timer = setTimeout(hide, 200); };

  function events() {
    const box = $("document"), marked = (event) => event.target.closest && event.target.closest("mark[data-at]");
    for (const name of ["mouseover", "focusin", "click"])
      box.addEventListener(name, (event) => { const mark = marked(event); if (mark) explain(mark); });
    for (const name of ["mouseout", "focusout"]) box.addEventListener(name, (event) => { if (marked(event)) later(); });
    $("tip").addEventListener("mouseenter", () => clearTimeout(timer));
    $("tip").addEventListener("mouseleave", later);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    // Tab itself scrolls: what has the focus keeps its evidence, and takes it along.
    document.addEventListener("scroll", (event) => {
      if (!shown || $("tip").contains(event.target)) return;
      if (shown === document.activeElement) place(); else later();
    }, { passive: true, capture: true });
    for (const id of ["search", "stratum", "order"]) $(id).addEventListener("input", () => {
      const found = list();
      if (!found.includes(current)) { show(found[0] || null); list(); }
    });
    $("least").addEventListener("input", () => {
      $("least-shown").textContent = Number($("least").value).toFixed(2);
      if (current) show(current);
    });
    $("theme").addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
    addEventListener("hashchange", open);
  }

  function open() {
    const d = location.hash.startsWith("#d-") && byId.get(location.hash.slice(3));
    if (!d) return false;
    show(d, true);
    return true;
  }

  overview(); incoming(); spun(); substitutions(); vocabularies(); sampling();
  option($("stratum"), "", `全部 all (${data.documents.length})`);
  for (const s of data.strata) if (s.shown) option($("stratum"), s.name, `${STRATA[s.name][0]} ${s.name} (${s.shown})`);
  for (const [name, [chinese, text]] of Object.entries(ORDERS)) option($("order"), name, `${chinese} ${text}`);
  const first = list()[0];
  events();
  if (!open()) show(first || null);
  document.documentElement.dataset.ready = "true";
})();
