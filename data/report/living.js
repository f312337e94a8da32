"use strict";
(() => {
  /* the coefficient of the first column: scaled normal equations, solved by Cholesky */
  const solve = (gram, on, y) => {
    const n = on.length;
    const scale = on.map((i) => Math.sqrt(gram[i][i]));
    const root = on.map(() => new Array(n).fill(0));
    const right = new Array(n);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = n - 1; j >= i; j--) {
        let sum = gram[on[i]][on[j]] / (scale[i] * scale[j]);
        for (let k = j + 1; k < n; k++) sum -= root[i][k] * root[j][k];
        root[i][j] = i === j ? Math.sqrt(sum) : sum / root[j][j];
      }
      let left = gram[on[i]][y] / scale[i];
      for (let k = i + 1; k < n; k++) left -= root[i][k] * right[k];
      right[i] = left / root[i][i];
    }
    return right[0] / root[0][0] / scale[0];
  };

  const start = (box) => {
    const data = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
    const form = box.querySelector("form");
    const answer = box.querySelector(".living-answer");
    const chosen = box.querySelector(".chosen");
    const mark = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const group = `living-${Math.random().toString(36).slice(2)}-`;
    for (const input of form.querySelectorAll("input")) input.name = group + input.name;
    const picked = (name) => Array.from(form.querySelectorAll(`[name="${group}${name}"]:checked`), (one) => one.value);
    const show = () => {
      const [definition] = picked("definition");
      const [lag] = picked("lag");
      const [effects] = picked("effects");
      const controls = picked("control");
      const column = lag === "0" ? definition : `lag${lag} ${definition}`;
      const place = (name) => data.columns.indexOf(name);
      const value = solve(data.grams[effects], [column, ...data.minimal, ...controls].map(place), place(data.outcome));
      const model = data.models[[definition, lag, effects, ...controls].join("|")];
      const text = value.toFixed(model.digits).replace("-", "−");
      box.dataset.value = String(value);
      answer.textContent = `${text} (${model.interval}): ${model.word}; ${model.certainty}`;
      const [low, high] = data.scale;
      const [width, height] = data.size;
      const x = ((model.at + 0.5) * width) / Object.keys(data.models).length;
      const y = (height * (high - value)) / (high - low);
      chosen.replaceChildren(mark("line", { x1: x, x2: x, y1: 0, y2: height }), mark("circle", { cx: x, cy: y, r: 6 }));
    };
    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const hidden of [form, answer, chosen]) hidden.removeAttribute("hidden");
    show();
  };

  for (const box of document.querySelectorAll("[data-living]:not([data-ready])")) {
    box.dataset.ready = "";
    start(box);
  }
})();
