"use strict";
// The server sends the moving part of the page whole; the browser reconnects by itself.
const mines = document.getElementById("mines");
const link = document.getElementById("link");
const events = new EventSource("/events");
events.addEventListener("mines", (event) => {
  mines.innerHTML = event.data;
  mines.dataset.updates = String(Number(mines.dataset.updates || 0) + 1);
});
events.onopen = () => { link.textContent = "实时"; link.className = "live"; };
events.onerror = () => { link.textContent = "连接中断，正在重连…"; link.className = "waiting"; };
