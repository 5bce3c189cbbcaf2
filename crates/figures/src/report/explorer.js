// The latent explorer: decodes images from points of latent spaces, in the page itself.
"use strict";
(() => {
  const root = document.getElementById("explorer-figure");
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const [channels, height, width] = data.image;
  // The most sliders of a model; dimensions beyond them stay where they are.
  const MOST_SLIDERS = 12;
  const SECONDS_OF_PATH = 4;

  // ---- Numbers

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
  const subscript = (n) => String(n).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

  const ACTIVATIONS = {
    relu: (x) => Math.max(0, x),
    tanh: Math.tanh,
    softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  };

  // What a decoder's output means, by likelihood; each gives a value in 0…1.
  const MEANS = {
    sigmoid: () => sigmoid,
    clamp: () => (x) => clamp(x, 0, 1),
    "continuous-bernoulli": (largest) => (x) => {
      const logit = clamp(x, -largest, largest);
      return Math.abs(logit) < 0.05 ? 0.5 + logit / 12 : -1 / Math.expm1(-logit) - 1 / logit;
    },
    logistic: (scale) => (x) => {
      let sum = 0;
      for (let k = 0; k < 255; k++) sum += sigmoid((x - (k + 0.5) / 255) / scale);
      return sum / 255;
    },
  };

  // y = W·x + b, where W is integers times a scale for each row.
  function linear(map) {
    const weight = new Int8Array(bytes(map.weight).buffer);
    const [scale, bias] = [floats(map.scale), floats(map.bias)];
    return (x) => {
      const y = new Float64Array(bias.length);
      for (let row = 0, at = 0; row < y.length; row++) {
        let sum = 0;
        for (let i = 0; i < x.length; i++, at++) sum += weight[at] * x[i];
        y[row] = bias[row] + scale[row] * sum;
      }
      return y;
    };
  }

  function decoder({ layers, mean, parameter }) {
    const steps = layers.map((layer) => {
      const map = linear(layer.map);
      if (layer.gate) {
        const gate = linear(layer.gate);
        return (x) => {
          const open = gate(x);
          return map(x).map((value, i) => value * sigmoid(open[i]));
        };
      }
      const activation = ACTIVATIONS[layer.activation];
      return activation ? (x) => map(x).map(activation) : map;
    });
    const pixel = MEANS[mean](parameter);
    return (z) => steps.reduce((x, step) => step(x), z).map(pixel);
  }

  const models = data.models.map((model) => ({ ...model, decode: decoder(model.decoder) }));

  // ---- Elements

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && typeof value !== "string") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // Draws values in 0…1, `[channels, height, width]`.
  function paint(canvas, values) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const size = width * height;
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) {
        image.data[4 * i + c] = Math.round(255 * values[Math.min(c, channels - 1) * size + i]);
      }
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  const canvas = (attributes) => element("canvas", { width, height, ...attributes });

  // About five round numbers from low to high.
  function ticks(low, high) {
    const rough = (high - low) / 6;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
    const found = [];
    for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(n * step);
    return found.map((value) => [value, String(+value.toPrecision(6)).replace("-", "−")]);
  }

  // ---- A plane of two dimensions

  // Room for the labels of the axes, in CSS pixels; the style sheet has the same.
  const [LEFT, BELOW] = [26, 18];

  class Plane {
    constructor(panel, { view, points, classes, circles }) {
      Object.assign(this, { panel, view, circles });
      this.points = floats(points);
      this.classes = bytes(classes);
      this.plot = element("canvas", { class: "plot", "aria-hidden": "true" });
      this.path = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      this.path.setAttribute("aria-hidden", "true");
      this.line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      this.path.append(this.line);
      this.handle = element("div", {
        class: "handle", role: "slider", tabindex: "0", "aria-label": `Point in the latent space of ${panel.model.label}`,
        "aria-valuemin": String(view[0][0]), "aria-valuemax": String(view[0][1]),
      });
      this.field = element("div", { class: "field" }, this.path, this.handle);
      this.element = element("div", { class: "plane" }, this.plot, this.field);
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.element);
    }

    listen() {
      const { field, handle } = this;
      const follow = (event) => {
        const box = field.getBoundingClientRect();
        this.moveTo((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
      };
      // A finger drags the handle; elsewhere it may scroll the page, and a tap moves the point.
      field.addEventListener("pointerdown", (event) => {
        const isHandle = handle.contains(event.target);
        if (event.button !== 0 || (event.pointerType === "touch" && !isHandle)) return;
        field.setPointerCapture(event.pointerId);
        if (!isHandle) follow(event);
        handle.focus({ preventScroll: true });
        event.preventDefault();
      });
      field.addEventListener("pointermove", (event) => {
        if (field.hasPointerCapture(event.pointerId)) follow(event);
      });
      field.addEventListener("click", (event) => {
        if (event.pointerType === "touch") follow(event);
      });
      handle.addEventListener("keydown", (event) => {
        const step = (event.shiftKey ? 0.1 : 0.01) * (this.view[0][1] - this.view[0][0]);
        const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
        if (!way) return;
        event.preventDefault();
        move(this.panel, [[0, this.panel.z[0] + way[0]], [1, this.panel.z[1] + way[1]]]);
      });
    }

    // To a point in shares of the field.
    moveTo(...shares) {
      const at = (axis) => this.view[axis][0] + clamp(shares[axis], 0, 1) * (this.view[axis][1] - this.view[axis][0]);
      move(this.panel, [[0, at(0)], [1, at(1)]]);
    }

    share(z, axis) {
      return (z[axis] - this.view[axis][0]) / (this.view[axis][1] - this.view[axis][0]);
    }

    show(z) {
      const shares = [0, 1].map((axis) => this.share(z, axis));
      const inside = shares.map((share) => clamp(share, 0, 1));
      this.handle.classList.toggle("beyond", shares.some((share, axis) => Math.abs(share - inside[axis]) > 1e-9));
      this.handle.style.left = `${100 * inside[0]}%`;
      this.handle.style.top = `${100 * (1 - inside[1])}%`;
      this.handle.setAttribute("aria-valuenow", z[0].toFixed(2));
      this.handle.setAttribute("aria-valuetext", `z₁ ${signed(z[0], 2)}, z₂ ${signed(z[1], 2)}`);
      const ends = this.panel.ends();
      this.path.style.display = ends ? "" : "none";
      if (!ends) return;
      ends.forEach((end, i) => {
        this.line.setAttribute(`x${i + 1}`, `${100 * this.share(end, 0)}%`);
        this.line.setAttribute(`y${i + 1}`, `${100 * (1 - this.share(end, 1))}%`);
      });
    }

    // As on white; the page's style turns it round where the page is dark, as it does figures.
    draw() {
      const ratio = window.devicePixelRatio || 1;
      const [wide, tall] = [this.element.clientWidth, this.element.clientHeight];
      if (!wide || !tall) return;
      this.plot.width = Math.round(wide * ratio);
      this.plot.height = Math.round(tall * ratio);
      const context = this.plot.getContext("2d");
      context.scale(ratio, ratio);
      const [right, bottom] = [wide - 1, tall - BELOW];
      const x = (value) => LEFT + this.share([value, 0], 0) * (right - LEFT);
      const y = (value) => bottom - this.share([0, value], 1) * (bottom - 1);
      context.font = "10.5px \"DejaVu Sans Condensed\", Arial, Helvetica, sans-serif";
      context.fillStyle = "#666";
      context.strokeStyle = "#e3e3e3";
      context.lineWidth = 1;
      const line = (...points) => {
        context.beginPath();
        points.forEach(([x, y]) => context.lineTo(x, y));
        context.stroke();
      };
      context.textAlign = "center";
      context.textBaseline = "top";
      for (const [value, label] of ticks(...this.view[0])) {
        line([x(value), 1], [x(value), bottom]);
        context.fillText(label, clamp(x(value), LEFT + 5, right - 6), bottom + 5);
      }
      context.textAlign = "right";
      context.textBaseline = "middle";
      for (const [value, label] of ticks(...this.view[1])) {
        line([LEFT, y(value)], [right, y(value)]);
        context.fillText(label, LEFT - 4, clamp(y(value), 6, bottom - 5));
      }
      context.save();
      context.beginPath();
      context.rect(LEFT, 1, right - LEFT, bottom - 1);
      context.clip();
      const radius = wide > 220 ? 1.7 : 1.2;
      context.globalAlpha = 0.8;
      for (let i = 0; 2 * i < this.points.length; i++) {
        const known = data.classes[this.classes[i]];
        context.fillStyle = known ? known.colour : data.point;
        context.beginPath();
        context.arc(x(this.points[2 * i]), y(this.points[2 * i + 1]), radius, 0, 2 * Math.PI);
        context.fill();
      }
      context.globalAlpha = 1;
      context.strokeStyle = "#666";
      context.setLineDash([4, 3]);
      for (const circle of this.circles) {
        context.beginPath();
        context.ellipse(x(0), y(0), x(circle) - x(0), y(0) - y(circle), 0, 0, 2 * Math.PI);
        context.stroke();
      }
      context.restore();
      context.strokeStyle = "#999";
      context.strokeRect(LEFT, 1, right - LEFT, bottom - 1);
    }
  }

  // ---- Sliders of more dimensions

  class Sliders {
    constructor(panel, { dimensions }) {
      this.rows = dimensions.slice(0, MOST_SLIDERS).map((dimension, rank) => {
        const name = `z${subscript(dimension.index + 1)}`;
        const about = dimension.kl !== null ? `KL ${signed(dimension.kl, 2)}`
          : dimension.variance !== null ? `variance ${dimension.variance.toPrecision(2)}` : "";
        const said = dimension.active === false ? `${about}, inactive` : about;
        const input = element("input", {
          type: "range", step: "any", min: String(dimension.low), max: String(dimension.high),
          "data-dimension": String(dimension.index), "aria-label": `${name} of ${panel.model.label}, ${said}`,
        });
        const value = element("output");
        input.addEventListener("input", () => move(panel, [[rank, input.valueAsNumber]]));
        const row = element("div", { class: dimension.active === false ? "slider inactive" : "slider" },
          element("b", {}, name), element("small", {}, said), input, value);
        return { row, input, value, dimension };
      });
      this.element = element("div", { class: "sliders" }, ...this.rows.map(({ row }) => row));
      const rest = dimensions.length - this.rows.length;
      if (rest > 0) this.element.append(element("p", { class: "note" }, `${rest} more stay where they are`));
    }

    show(z) {
      for (const { input, value, dimension } of this.rows) {
        input.value = z[dimension.index];
        value.textContent = signed(z[dimension.index], 2);
        input.setAttribute("aria-valuetext", value.textContent);
      }
    }
  }

  // ---- A panel: one model at one point

  class Panel {
    constructor(index) {
      this.index = index;
      this.z = [];
      const options = models.map(({ label }, i) => element("option", { value: String(i) }, label));
      this.select = element("select", { id: `explorer-model-${index}`, "aria-label": `Model ${index + 1}` }, ...options);
      this.select.value = String(index);
      this.select.addEventListener("change", () => this.choose());
      this.image = canvas({ class: "decoded", id: `explorer-image-${index}`, role: "img" });
      this.controls = element("div", { class: "controls" });
      this.coordinates = element("div", { class: "coordinates" });
      const head = models.length > 1 ? this.select : element("p", { class: "head" }, models[0].label);
      this.element = element("div", { class: "panel" }, head,
        element("div", { class: "views" }, this.controls, element("div", { class: "result" }, this.image, this.coordinates)));
      this.choose();
    }

    choose() {
      this.model = models[Number(this.select.value)];
      const { dimensions, plane } = this.model;
      // What lies under the same rank moves together; in a plane the axes do.
      this.order = plane ? [0, 1] : dimensions.map(({ index }) => index);
      this.control = plane ? new Plane(this, plane) : new Sliders(this, this.model);
      this.element.classList.toggle("sliding", !plane);
      this.controls.replaceChildren(this.control.element);
      this.inputs = !plane ? [] : [0, 1].map((axis) => {
        const input = element("input", {
          type: "number", step: "0.05", id: `explorer-${this.index}-z${axis + 1}`,
          "aria-label": `z${subscript(axis + 1)} of ${this.model.label}`,
        });
        input.addEventListener("input", () => {
          if (Number.isFinite(input.valueAsNumber)) move(this, [[axis, input.valueAsNumber]]);
        });
        return input;
      });
      this.coordinates.replaceChildren(...this.inputs.map((input, axis) =>
        element("label", {}, `z${subscript(axis + 1)}`, input)));
      this.image.setAttribute("aria-label", `What ${this.model.label} decodes`);
      this.z = dimensions.map(() => 0);
      if (state.isOnPath || !state.panels.length) this.alongPath();
      this.show();
    }

    // The codes of both chosen images; none without an encoder.
    ends() {
      const [from, to] = [this.model.codes[state.from], this.model.codes[state.to]];
      return from && to ? [from, to] : null;
    }

    alongPath() {
      const ends = this.ends();
      if (ends) this.z = ends[0].map((from, i) => from + state.share * (ends[1][i] - from));
    }

    set(changes) {
      for (const [rank, value] of changes) {
        if (rank < this.order.length) this.z[this.order[rank]] = value;
      }
      this.show();
    }

    show() {
      if (this.waits) return;
      this.waits = true;
      requestAnimationFrame(() => {
        this.waits = false;
        paint(this.image, this.model.decode(this.z));
        this.control.show(this.z);
        this.inputs.forEach((input, axis) => {
          if (document.activeElement !== input) input.value = this.z[axis].toFixed(2);
        });
      });
    }
  }

  // ---- All panels, and the path between two images

  const state = { panels: [], from: 0, to: 1, share: 0.5, isOnPath: true, isLinked: true, start: null };

  // A person moves a panel's point: others go along where they are to.
  function move(panel, changes) {
    stop();
    state.isOnPath = false;
    for (const one of state.isLinked ? state.panels : [panel]) one.set(changes);
  }

  function walk(share) {
    state.share = share;
    state.isOnPath = true;
    for (const panel of state.panels) {
      panel.alongPath();
      panel.show();
    }
    way.value = share;
    way.setAttribute("aria-valuetext", `${Math.round(100 * share)} % of the way`);
  }

  function stop() {
    state.start = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play the path");
  }

  function frame(time) {
    if (state.start === null) return;
    state.start ||= time - 1000 * SECONDS_OF_PATH * state.share;
    // There and back.
    const gone = ((time - state.start) / 1000 / SECONDS_OF_PATH) % 2;
    walk(gone < 1 ? gone : 2 - gone);
    requestAnimationFrame(frame);
  }

  function choices(name, checked) {
    const images = data.originals.map((original, i) => {
      const input = element("input", { type: "radio", name: `explorer-${name}`, value: String(i), "aria-label": data.names[i] });
      input.checked = i === checked;
      input.addEventListener("change", () => {
        stop();
        state[name] = i;
        walk(name === "from" ? 0 : 1);
      });
      const picture = canvas({ "aria-hidden": "true" });
      paint(picture, Array.from(bytes(original), (byte) => byte / 255));
      return element("label", {}, input, picture);
    });
    return element("fieldset", {}, element("legend", {}, name), ...images);
  }

  const way = element("input", { type: "range", id: "explorer-way", min: "0", max: "1", step: "any", "aria-label": "Along the path" });
  way.addEventListener("input", () => {
    stop();
    walk(way.valueAsNumber);
  });
  const play = element("button", { type: "button", class: "play" });
  play.addEventListener("click", () => {
    if (state.start !== null) {
      stop();
      return;
    }
    state.start = 0;
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Stop");
    requestAnimationFrame(frame);
  });

  const nPanels = Math.min(2, models.length);
  for (let index = 0; index < nPanels; index++) state.panels.push(new Panel(index));

  const origin = element("button", { type: "button" }, "z = 0");
  origin.addEventListener("click", () => {
    stop();
    state.isOnPath = false;
    for (const panel of state.panels) panel.set(panel.order.map((_, rank) => [rank, 0]));
  });
  const options = element("div", { class: "options" });
  for (const { name, colour } of data.models.some(({ plane }) => plane) ? data.classes : []) {
    options.append(element("span", { class: "class" }, element("i", { class: "swatch", style: `background:${colour}` }), name));
  }
  const deeds = element("span", { class: "deeds" });
  if (nPanels > 1) {
    const both = element("input", { type: "checkbox", id: "explorer-linked" });
    both.checked = true;
    both.addEventListener("change", () => { state.isLinked = both.checked; });
    deeds.append(element("label", {}, both, " move both"));
  }
  deeds.append(origin);
  options.append(deeds);

  const live = root.querySelector(".live");
  live.append(element("div", { class: nPanels > 1 ? "panels" : "panels single" }, ...state.panels.map((panel) => panel.element)), options);
  if (data.originals.length > 1) {
    live.append(element("div", { class: "path" }, choices("from", state.from), choices("to", state.to),
      element("div", { class: "way" }, play, way)));
  }
  stop();
  walk(state.share);
  // Only now: where something is amiss, the still picture stays.
  root.classList.add("is-live");
})();
