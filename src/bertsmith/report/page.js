for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = button.closest("table").tBodies[0];
    const upwards = head.getAttribute("aria-sort") !== "ascending";
    const value = row => row.cells[head.cellIndex].textContent.trim();
    const number = row => parseFloat(value(row).replace(/,/g, ""));
    const order = head.classList.contains("number")
      ? (a, b) => number(a) - number(b)
      : (a, b) => value(a).localeCompare(value(b), undefined, { numeric: true });
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    body.append(...[...body.rows].sort((a, b) => (upwards ? order(a, b) : order(b, a))));
  });
}
