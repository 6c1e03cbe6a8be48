// Who is there? Asked where the service has users.
import { post } from "../../api.js";
import { html, useState } from "../../html.js";

export const LoginView = ({ onLogin }) => {
  const [problem, setProblem] = useState("");
  const [isAsking, setAsking] = useState(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setAsking(true);
    try {
      onLogin(await post("auth/login", { name: form.get("name"), password: form.get("password") }));
    } catch (error) {
      setProblem(error.message);
      setAsking(false);
    }
  };
  return html`
    <main class="login" id="main">
      <form onSubmit=${onSubmit}>
        <h1>facesearch</h1>
        <label class="field"><span>Name</span><input name="name" autocomplete="username" required autofocus /></label>
        <label class="field">
          <span>Password</span><input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p class="notice" role="alert" hidden=${!problem}>${problem}</p>
        <button class="primary" disabled=${isAsking}>Log in</button>
      </form>
    </main>
  `;
};
