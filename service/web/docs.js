// Swagger UI over our own description; a key that is typed in lives as long as the page does.
window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
