// Fetches the marked parts of a page again while it is looked at, and sends a file that is
// dropped on a form. Without this script every page works all the same.
'use strict';

const EVERY = 10000;
let failed = 0;

// A part stays as it is while somebody works in it.
const isBusy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;

// What somebody opened stays open, and what he closed stays closed.
const keepOpen = (old, fresh) => {
  for (const details of old.querySelectorAll('details[id]')) {
    const same = fresh.querySelector('#' + CSS.escape(details.id));
    if (same) same.open = details.open;
  }
};

const refresh = async () => {
  const parts = [...document.querySelectorAll('[data-live][id]')];
  if (document.hidden || !parts.length) return;
  try {
    const reply = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'error' });
    // Signed out meanwhile: the whole page says so.
    if (reply.status === 401) return location.reload();
    if (!reply.ok) throw new Error(String(reply.status));
    const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html');
    for (const old of parts) {
      const part = fresh.getElementById(old.id);
      if (!part || isBusy(old)) continue;
      keepOpen(old, part);
      if (old.innerHTML === part.innerHTML) continue;
      old.replaceWith(document.adoptNode(part));
    }
    failed = 0;
  } catch {
    failed += 1;
  }
  document.body.classList.toggle('stale', failed > 2);
};

setInterval(refresh, EVERY);
document.addEventListener('visibilitychange', refresh);

// A file that is dropped beside the form would be opened in the place of the page.
const stay = (event) => { if (document.querySelector('form[data-upload]')) event.preventDefault(); };
for (const type of ['dragover', 'drop']) addEventListener(type, stay);

for (const form of document.querySelectorAll('form[data-upload]')) {
  const input = form.querySelector('input[type=file]');
  const shown = form.querySelector('[data-progress]');
  const bar = shown.querySelector('progress');
  const words = shown.querySelector('output');
  let isSending = false;

  const say = (text) => { words.textContent = text; };

  const send = async () => {
    if (isSending || !input.files.length) return;
    isSending = true;
    // Whoever was signed out meanwhile learns it now, and not once all was sent.
    const asked = await fetch('/acts', { headers: { accept: 'text/html' } }).catch(() => null);
    if (asked?.status === 401) return location.reload();
    shown.hidden = false;
    const request = new XMLHttpRequest();
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      bar.max = event.total;
      bar.value = event.loaded;
      say(Math.floor(100 * event.loaded / event.total) + ' %');
    };
    request.upload.onload = () => { bar.removeAttribute('value'); say(form.dataset.reading); };
    // What came of it is a page of its own, a refusal too.
    request.onload = () => {
      if (request.status < 400 && request.responseURL) return location.assign(request.responseURL);
      document.open(); document.write(request.responseText); document.close();
    };
    request.onerror = request.onabort = () => { isSending = false; bar.value = 0; say(form.dataset.failed); };
    request.open('POST', form.action);
    request.setRequestHeader('accept', 'text/html');
    request.send(new FormData(form));
  };

  form.addEventListener('submit', (event) => { event.preventDefault(); send(); });
  input.addEventListener('change', send);
  const over = (is) => (event) => { event.preventDefault(); form.classList.toggle('over', is); };
  form.addEventListener('dragenter', over(true));
  form.addEventListener('dragover', over(true));
  form.addEventListener('dragleave', over(false));
  form.addEventListener('drop', (event) => {
    over(false)(event);
    if (event.dataTransfer.files.length > 1) { shown.hidden = false; return say(form.dataset.one); }
    if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; send(); }
  });
}
