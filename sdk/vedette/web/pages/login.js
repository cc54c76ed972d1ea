const form = document.getElementById("login");
const field = document.getElementById("token");
const answer = document.getElementById("answer");

// Somebody who followed a link from elsewhere is logged in, but was not recognised: strict cookies stay at home then.
fetch("/api/stats").then((reply) => { if (reply.ok) location.replace(location.pathname); }, () => {});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  answer.textContent = "";
  let reply;
  try {
    reply = await fetch("/login", { method: "POST", body: field.value });
  } catch {
    answer.textContent = "The dashboard does not answer. Is it still running?";
    return;
  }
  if (reply.ok) {
    location.replace(location.pathname);
    return;
  }
  answer.textContent = reply.status === 429 ? (await reply.json()).error : "That is not the token.";
  field.select();
});
