// Shows openapi.json and frames.json to people. Text only ever becomes text nodes: nothing is parsed as HTML.

/** Make an element: properties, then children (elements or strings). */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const last = (reference) => reference.split('/').pop();

/** Say a schema in a few words; structs are links. */
function type(schema) {
  if (schema === undefined || Object.keys(schema).length === 0) return ['anything'];
  if (schema.$ref) return [make('a', { href: `#struct-${last(schema.$ref)}` }, last(schema.$ref))];
  if (schema.anyOf) return schema.anyOf.flatMap((part, index) => [index ? ' or ' : '', ...type(part)]);
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')];
  if (schema.type === 'array') return ['list of ', ...type(schema.items)];
  return [schema.format ?? schema.type ?? 'anything', bounds(schema)];
}

function bounds(schema) {
  const low = schema.minimum ?? schema.minLength ?? schema.minItems;
  const high = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  const unit = schema.maxLength !== undefined || schema.minLength !== undefined ? ' characters' : '';
  if (low === undefined && high === undefined) return '';
  return ` (${low ?? '…'}–${high ?? '…'}${unit})`;
}

function table(heads, rows) {
  if (rows.length === 0) return null;
  const cell = (kind) => (content) => make(kind, {}, ...[content].flat());
  return make('table', {},
    make('thead', {}, make('tr', {}, ...heads.map(cell('th')))),
    make('tbody', {}, ...rows.map((row) => make('tr', {}, ...row.map(cell('td'))))));
}

/** List the fields of a struct. */
function fields(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    make('code', {}, name), type(field), required.has(name) ? 'required' : standard(field), field.description ?? '',
  ]);
  return table(['field', 'type', '', ''], rows);
}

const standard = (schema) => (schema.default === undefined ? '' : `default ${JSON.stringify(schema.default)}`);

/** An example value of a schema, to start a request body from. */
function example(schema, structs, depth = 0) {
  if (schema.$ref) return example(structs[last(schema.$ref)], structs, depth + 1);
  if (schema.default !== undefined) return schema.default;
  if (schema.anyOf) return example(schema.anyOf[0], structs, depth);
  if (schema.enum) return schema.enum[0];
  if (schema.format === 'uuid') return crypto.randomUUID?.() ?? '';
  if (schema.type === 'object') {
    const required = schema.required ?? [];
    const shown = Object.entries(schema.properties ?? {}).filter(([name]) => required.includes(name) || depth === 0);
    return Object.fromEntries(shown.map(([name, field]) => [name, example(field, structs, depth + 1)]));
  }
  return { array: [], integer: 0, number: 0, boolean: false, string: '' }[schema.type] ?? null;
}

/** Show one route. */
function route(api, path, method, operation) {
  const inside = make('div');
  const box = make('details', { id: operation.operationId },
    make('summary', {}, make('span', { className: 'method' }, method.toUpperCase()), make('code', {}, path),
      ` ${operation.summary}`),
    inside);
  box.addEventListener('toggle', () => box.open && !inside.hasChildNodes() && inside.append(...about(api, path, method, operation)));
  return box;
}

function about(api, path, method, operation) {
  const body = operation.requestBody?.content['application/json'].schema;
  const parameters = (operation.parameters ?? []).map((one) => [
    make('code', {}, one.name), one.in, type(one.schema), one.required ? 'required' : standard(one.schema),
  ]);
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const shown = answer.$ref ? api.components.responses[last(answer.$ref)] : answer;
    const schema = shown.content?.['application/json']?.schema;
    return [make('code', {}, status), schema ? type(schema) : '', make('span', { className: 'text' }, shown.description)];
  });
  const who = operation.security?.length === 0 ? 'Open to everybody.' : 'With an access token.';
  return [
    make('p', { className: 'text' }, operation.description ?? ''),
    make('p', { className: 'note' }, `${who} Draws from the rate limit “${operation['x-rate-limit']}”.`),
    table(['parameter', 'in', 'type', ''], parameters),
    body ? make('p', {}, 'Body: ', ...type(body)) : null,
    table(['status', 'answer', ''], answers),
    form(api, path, method, operation, body),
  ].filter((part) => part !== null);
}

/** A form that sends the request to this server and shows what comes back. */
function form(api, path, method, operation, body) {
  const inputs = (operation.parameters ?? []).map((parameter) => ({ parameter, input: make('input', { autocomplete: 'off' }) }));
  const text = body ? make('textarea', { value: JSON.stringify(example(body, api.components.schemas), null, 2) }) : null;
  const answer = make('pre', { hidden: true, tabIndex: 0 });
  const button = make('button', { type: 'button' }, 'Send');
  button.addEventListener('click', async () => {
    button.disabled = true;
    answer.hidden = false;
    try {
      answer.textContent = await send(api, path, method, inputs, text?.value);
    } catch (error) {
      answer.textContent = `No answer: ${error.message}`;
    }
    button.disabled = false;
  });
  return make('section', {},
    ...inputs.map(({ parameter, input }) => make('label', {}, parameter.name, input)),
    text ? make('label', {}, 'body', text) : null, button, answer);
}

async function send(api, path, method, inputs, body) {
  const query = new URLSearchParams();
  let address = api.servers[0].url + path;
  for (const { parameter, input } of inputs) {
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== '') query.set(parameter.name, input.value);
  }
  const token = document.getElementById('token').value.trim();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const asked = query.size ? `${address}?${query}` : address;
  const response = await fetch(asked, { method: method.toUpperCase(), headers, body, credentials: 'omit', cache: 'no-store' });
  const said = await response.text();
  const shown = said ? JSON.stringify(JSON.parse(said), null, 2) : '';
  const wait = response.headers.get('Retry-After');
  return [`${response.status} ${response.statusText}`, wait ? `Retry-After: ${wait}` : '', shown].filter(Boolean).join('\n');
}

/** Show the frames of one direction. */
function framesOf(gateway, union) {
  return gateway.$defs[union].anyOf.map((part) => {
    const frame = gateway.$defs[last(part.$ref)];
    const name = frame.properties.type.enum[0];
    const answers = gateway['x-answers'][name] ?? [];
    return make('details', { id: `frame-${name}` },
      make('summary', {}, make('code', {}, name), ` ${frame.description.split('\n')[0]}`),
      make('div', {}, make('p', { className: 'text' }, frame.description), fields(frame),
        answers.length ? make('p', { className: 'note' }, `Answered by ${answers.join(', ')}.`) : null));
  });
}

function structs(named) {
  return Object.entries(named).filter(([, schema]) => schema.properties && !schema.properties.type?.enum)
    .map(([name, schema]) => make('details', { id: `struct-${name}` },
      make('summary', {}, make('code', {}, name)),
      make('div', {}, make('p', { className: 'text' }, schema.description ?? ''), fields(schema))));
}

function show(api, gateway) {
  const sections = api.tags.map((tag) => {
    const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).filter(([, operation]) => operation.tags.includes(tag.name))
        .map(([method, operation]) => route(api, path, method, operation)));
    return [tag.name, [make('p', { className: 'text' }, tag.description), ...routes]];
  });
  sections.push(['gateway', [make('p', { className: 'text' }, gateway.description),
    make('h3', {}, 'From the client'), ...framesOf(gateway, 'FromClient'),
    make('h3', {}, 'From the server'), ...framesOf(gateway, 'FromServer')]]);
  sections.push(['structs', structs({ ...gateway.$defs, ...api.components.schemas })]);
  document.getElementById('version').textContent = api.info.version;
  document.getElementById('contents').append(...sections.map(([name]) => make('a', { href: `#${name}` }, name)));
  document.getElementById('page').replaceChildren(make('p', { className: 'text' }, api.info.description),
    ...sections.map(([name, content]) => make('section', {}, make('h2', { id: name }, name), ...content)));
  window.addEventListener('hashchange', open);
  open();
}

/** Open what the address points at. */
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === 'DETAILS') target.open = true;
  target?.scrollIntoView();
}

try {
  const [api, gateway] = await Promise.all(['openapi.json', 'frames.json'].map((name) => fetch(name).then((r) => r.json())));
  show(api, gateway);
} catch (error) {
  document.getElementById('state').textContent = `The descriptions cannot be read: ${error.message}`;
}
